"""The resident painter: network and style targets stay on the device, and each painting brings only a new photo."""

import logging
import math
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import colors
from .arrays import picture
from .devices import device_name, find_device, warm_up
from .errors import TooLargeError
from .memory import free_memory, is_shortage, keep_freed_memory, trim_memory
from .network.vgg import VGG
from .network.weights import load
from .objective import Objective
from .optimizers.lbfgs import LBFGS, Evaluate
from .plan import FallbackObjective, Plan, fitting
from .progress import OnStep, PaintingProgress
from .pyramid import level_weights
from .recipe import PRESETS, Recipe, deepest_layer, require, smallest_side
from .search import Search
from .spectrum_start import start_from_style_spectrum
from .steps import EvaluationRun, Level, levels
from .targets import Picture, StylePictures, Targets, at_size, resized, scaled, tensor

log = logging.getLogger("styled")

PATIENCE, STILL = 30, 1e-4  # evaluations in which the loss must fall by this share; otherwise the scale ends early
ALIGNED = 16  # px: sides of the canvas are multiples, so that the smallest levels have no pixel left over
STEPS_PER_LOOK = 10  # steps on a GPU between two reads of the loss, because each read waits for the device


class Stylizer:
    """VGG19 on a device, ready to paint. Use a Stylizer in one thread at a time.

    `device` and `device_name` say where the Stylizer paints ("cuda:0", "NVIDIA H100 …"); `weights` is the record of
    its weights.
    """

    def __init__(
        self,
        device: str = "auto",
        weights: str | Path = "auto",
        threads: int | None = None,
    ) -> None:
        """Choose the device and load the weights.

        `device`: auto, cpu, cuda, cuda:N or mps; auto takes the best device that works. `weights`: auto, embedded,
        imagenet, or the path of a .safetensors or .pth file; see `network.weights.load`. `threads`: CPU threads, at
        least 1; None: torch's choice.

        Raises DeviceError if the device is not on this machine or does not work, and WeightsError if the weights are
        missing, damaged or not VGG19's.
        """
        self._device = find_device(device)
        self.device, self.device_name = str(self._device), device_name(self._device)
        if threads is not None:
            self.threads = threads
        if self._device.type == "cpu":
            keep_freed_memory()
        self.weights, tensors = load(weights)
        self._vgg = VGG(tensors, self._device)
        self._targets = Targets(self._device)
        warm_up(self._device)

    @property
    def threads(self) -> int:
        """CPU threads for painting, at least 1; the setting counts for the whole process."""
        return torch.get_num_threads()

    @threads.setter
    def threads(self, count: int) -> None:
        torch.set_num_threads(count)

    @property
    def targets_computed(self) -> int:
        """Number of style targets computed since the start; targets that were still kept do not count."""
        return self._targets.computed

    def paint(
        self,
        content: Picture,
        style: Picture | StylePictures,
        recipe: Recipe = PRESETS["fine"],
        on_step: OnStep | None = None,
        before: Sequence[EvaluationRun] = (),
    ) -> Picture:
        """content (H, W, 3) and style (h, w, 3) → painting (H, W, 3); all float32 sRGB in [0, 1].

        Other arrays, and pictures of Pillow, are converted where it is clear what they mean, see arrays.picture.
        `style`: a picture, or (picture, weight) of several, whose statistics are averaged; weights are at least 0, and
        their sum is above 0. Strokes come out about as many pixels wide as they are in the style pictures, so scale the
        style pictures before (`Recipe.style_scale`). `on_step` is called with each Step; an exception of `on_step` ends
        the painting. `before`: the `stretches` of an earlier painting's last Step, to compute this painting in the same
        way: the same input then gives the same bits on the same CPU with the same number of threads.

        Raises RecipeError if the recipe needs deeper weights, TooLargeError if memory does not suffice even in the
        smallest tiles, and ValueError if `content` or `style` is not a picture or the style's weights are unusable.
        """
        require(recipe, self.weights.deepest)
        photo, pictures = picture(content, "content"), _weighted(style)
        if recipe.keep_colors == "statistics":
            pictures = [(colors.statistics(picture, photo), weight) for picture, weight in pictures]
        try:
            with torch.no_grad():
                painting = self._painted(photo, pictures, recipe, on_step or (lambda _: None), before)
        except Exception as error:
            if not is_shortage(error):
                raise
            height, width = photo.shape[:2]
            where = f"than {self.device_name} has free, even in the smallest tiles"
            raise TooLargeError(f"{width} × {height} pixels need more memory {where}.") from None
        finally:
            trim_memory()
        return colors.luminance(painting, photo) if recipe.keep_colors == "luminance" else painting

    def objective(self, content: Picture, style: Picture | StylePictures, recipe: Recipe) -> Evaluate:
        """The loss that `paint` minimises at full size: x (1, 3, H, W) → loss (), gradient (1, 3, H, W), on the device.

        Without the margin and the grey of `Recipe.margin` and `achromatic`. Raises as `paint`, except TooLargeError.
        """
        require(recipe, self.weights.deepest)
        photo, pictures = picture(content, "content"), _weighted(style)
        c = tensor(photo, smallest_side(deepest_layer(recipe))).to(self._device)
        with torch.no_grad():
            if recipe.recolor is not None:
                c = _recolored(c, colors.color_map(photo, pictures, recipe.recolor))
            levels = len(level_weights(recipe, c.shape[2:]))
            return Objective(self._vgg, recipe, c, self._targets.get(self._vgg, pictures, recipe, 1.0, levels))

    def _painted(
        self, photo: Picture, pictures: StylePictures, recipe: Recipe, on_step: OnStep, before: Sequence[EvaluationRun]
    ) -> Picture:
        """Paint coarse to fine: each scale starts from the painting of the scale before."""
        tint = colors.tint(pictures, recipe.achromatic) if recipe.achromatic else None
        if tint:
            photo, pictures = colors.grey(photo), [(colors.grey(picture), weight) for picture, weight in pictures]
        color = None if recipe.recolor is None else colors.color_map(photo, pictures, recipe.recolor)
        full = tensor(_canvas(photo, recipe), smallest_side(deepest_layer(recipe)))
        account = PaintingProgress(levels(recipe, *full.shape[2:]), self._device, on_step, before)
        c = x = torch.empty(0)
        learnt: list[LBFGS] = []  # the optimiser of an eased level, whose curvature the next level uses
        for scale, level in enumerate(account.levels):
            below, c = c, at_size(full, (level.height, level.width)).to(self._device)
            c = c if color is None else _recolored(c, color)
            x = _carried(x, c, below, recipe) if scale else self._start(c, pictures, recipe)
            x = x.mean(1, keepdim=True).expand(c.shape).contiguous() if tint else x
            del below
            evaluate = self._affordable(
                c, pictures, recipe, level, account.plans(scale), sum(o.size for o in learnt), tint is not None
            )
            if recipe.matched and not scale and recipe.start == "content" and evaluate.plan.history:
                x = start_from_style_spectrum(x, self._scaled(pictures, recipe, level))
            x = self._optimized(evaluate, x, scale, account, learnt)
            del evaluate  # and the features that the objective keeps
            trim_memory()  # the start of the next scale needs the memory
        rows, columns = (slice(recipe.margin, recipe.margin + length) for length in photo.shape[:2])
        painting = np.ascontiguousarray(x[0, :, rows, columns].permute(1, 2, 0).cpu().numpy())
        return tint.on(painting.mean(2, keepdims=True)) if tint and recipe.keep_colors == "no" else painting

    def _start(self, c: Tensor, pictures: StylePictures, recipe: Recipe) -> Tensor:
        """The start x at the coarsest scale, a new tensor of c's shape: an optimiser may overwrite it."""
        if recipe.start == "noise":
            noise = torch.Generator().manual_seed(recipe.seed)  # on the CPU, so that every device starts alike
            return torch.rand(c.shape, generator=noise).to(c.device)
        if recipe.start == "style":
            heaviest = max(pictures, key=lambda picture: picture[1])[0]
            return at_size(tensor(heaviest, 1), c.shape[2:]).to(c.device, copy=True)
        return c.clone()

    def _scaled(self, pictures: StylePictures, recipe: Recipe, level: Level) -> list[tuple[Tensor, float]]:
        """(picture (1, 3, h, w), weight) of the style pictures at a level's scale, on the device."""
        least = smallest_side(deepest_layer(recipe))
        return [(scaled(picture, level.fraction, least).to(self._device), weight) for picture, weight in pictures]

    def _affordable(
        self,
        c: Tensor,
        pictures: StylePictures,
        recipe: Recipe,
        level: Level,
        first: Sequence[Plan],
        held: int,
        grey: bool,
    ) -> FallbackObjective:
        """The loss of a picture of c's shape, computed by the `first` plans, then as the free memory allows.

        `held`: bytes that an optimiser holds already and goes on using; they count as free.
        """

        def objective(plan: Plan) -> Evaluate:
            count = len(level_weights(recipe, c.shape[2:]))
            A = self._targets.get(self._vgg, pictures, recipe, level.fraction, count, plan.side)
            return Objective(self._vgg, recipe, c, A, plan.side, plan.keep, level.eased, grey)

        trim_memory()
        return FallbackObjective(objective, chain(first, fitting(recipe, level, free_memory(self._device) + held)))

    def _optimized(
        self, evaluate: FallbackObjective, x: Tensor, scale: int, account: PaintingProgress, learnt: list[LBFGS]
    ) -> Tensor:
        """The best picture found with this level's evaluations; the first evaluation is of the start x.

        `learnt` passes the optimiser on: an eased level puts its optimiser in, and the next level takes it out.
        """
        last, done = account.levels[scale].evaluations, 0
        every = 1 if self._device.type == "cpu" else STEPS_PER_LOOK
        search = Search(evaluate, self._device, learnt.pop() if learnt else None)
        seen: list[tuple[int, float]] = []
        while done < last:
            m, known = evaluate.plan.history, search.optimizer is None and done > 0
            if account.turned(scale, done):
                evaluate.turn()
            if evaluate.plan.history != m or not search.step(x):
                x = search.left(x)
                evaluate.fewer_pairs(m)
                continue
            if known:
                continue  # a new optimiser only evaluated a known point: no progress
            done += 1
            account.count(scale, evaluate.plan)
            if done % every == 0 or done == last:
                seen.append((done, search.best_loss))
                if _stands_still(seen) and done < last:
                    event = {"event": "converged"}
                    log.info("the picture has stopped changing after %d of %d evaluations", done, last, extra=event)
                    done = last
                is_end = done == last and scale == len(account.levels) - 1
                account.tell(scale, done, seen[-1][1], evaluate.terms(search.best(x)) if is_end else {})
        if account.levels[scale].eased and isinstance(search.optimizer, LBFGS):
            learnt.append(search.optimizer)
        return search.best(x)


def _canvas(photo: Picture, recipe: Recipe) -> Picture:
    """The photo, continued by its mirror image on each side, right and below up to a multiple of ALIGNED px."""
    if not recipe.margin:
        return photo
    sides = [(recipe.margin, recipe.margin + -(length + 2 * recipe.margin) % ALIGNED) for length in photo.shape[:2]]
    return np.pad(photo, (*sides, (0, 0)), mode="reflect")


def _recolored(c: Tensor, color: colors.Map) -> Tensor:
    """c (1, 3, H, W) with its colours mapped by `color`, clipped to [0, 1]."""
    T, b = (torch.from_numpy(v).to(c.device, c.dtype) for v in color)
    return torch.addmm(b[:, None], T, c[0].flatten(1)).view(c.shape).clamp_(0, 1)


def _stands_still(seen: Sequence[tuple[int, float]]) -> bool:
    """Whether the loss fell by less than the share STILL in the last PATIENCE evaluations.

    `seen`: (number of evaluations, loss), oldest first.
    """
    done, loss = seen[-1]
    before = [earlier for count, earlier in seen if count <= done - PATIENCE]
    return bool(before) and loss >= before[-1] * (1 - STILL)


def _carried(x: Tensor, c: Tensor, below: Tensor, recipe: Recipe) -> Tensor:
    """The painting x of the scale before, enlarged to c's shape, plus the photo's detail that `below` does not show.

    `below`: the photo at the scale before.
    """
    x = resized(x, c.shape[2:])
    if recipe.start == "content":
        x = x + c
        x -= resized(below, c.shape[2:])
    return x.clamp(0, 1)


def _weighted(style: Picture | StylePictures) -> StylePictures:
    """(picture, weight) of each style picture with a weight above 0.

    Raises ValueError if a weight is negative or not finite, if all are 0, or if there is no picture.
    """
    if not isinstance(style, Sequence) or isinstance(style, str | bytes):
        return [(picture(style, "style"), 1.0)]
    weights = [weight for _, weight in style]
    if not weights or not all(math.isfinite(w) and w >= 0 for w in weights) or sum(weights) == 0:
        raise ValueError(f"style: the weights {weights} must be finite, at least 0, and not all 0")
    return [(picture(each, "style"), float(weight)) for each, weight in style if weight > 0]
