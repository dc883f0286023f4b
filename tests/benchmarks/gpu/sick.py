"""A painter whose CUDA context breaks down when a photo asks for it; named to a painter process, which imports this."""

import os
from typing import Any

import torch

from daemon.processes.painter_process import PainterProcess
from daemon.processes.shared_array import SharedArray
from daemon.transfer.recipe import Recipe

POISON = 666  # the seed that breaks the painter


class SickPainter(PainterProcess):
    def paint(self, content: SharedArray, style: Any, recipe: Recipe, *more: Any, **others: Any) -> SharedArray:
        if recipe.seed == POISON and torch.cuda.is_available():
            torch.zeros(1, device="cuda")[torch.tensor([9], device="cuda")].cpu()  # a device-side assert
        if recipe.seed == POISON:
            os.abort()
        return super().paint(content, style, recipe, *more, **others)
