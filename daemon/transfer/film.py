"""The frames of a film of a painting's way, small and few, chosen evenly over the work."""

import math
from typing import Final

import torch

from .steps import Frame, Step
from .targets import at_size, tensor

FRAMES: Final = 40  # at most
SIDE: Final = 384  # px, the longest side of a frame


class Film:
    """Asks some of a painting's steps for the picture. A GPU is waited for at these steps only."""

    def __init__(self, height: int, width: int) -> None:
        """The shape of the painting; a small painting's frames are no larger than the painting."""
        share = min(1.0, SIDE / max(height, width))
        self._shape = max(1, round(height * share)), max(1, round(width * share))
        self._due = 0.0  # share of the work at which the next frame is taken

    def frame(self, step: Step) -> Frame | None:
        """The frame of this step, None for most steps."""
        if step.picture is None or step.done < self._due:
            return None
        self._due = (math.floor(step.done * FRAMES) + 1) / FRAMES
        x = at_size(tensor(step.picture(), 1), self._shape)
        pixels = (x[0].permute(1, 2, 0) * 255).round().to(torch.uint8)
        return self._shape[1], self._shape[0], pixels.contiguous().numpy().tobytes()
