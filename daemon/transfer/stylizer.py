"""The resident painter: network and style targets stay on the device, per picture only the content is new."""

import logging
import math
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import colors
from .devices import device_name, find_device, warm_up
from .errors import TooLargeError
from .memory import free_memory, is_shortage, keep_freed_memory, trim_memory
from .network.download import Progress
from .network.vgg import VGG
from .network.weights import load
from .objective import Objective
from .optimizers.capture import CapturedStep
from .optimizers.lbfgs import LBFGS, Evaluate
from .optimizers.projected_gradient import ProjectedGradient
from .plan import FallbackObjective, Plan, fitting
from .progress import OnStep, PaintingProgress
from .pyramid import level_weights
from .recipe import PRESETS, Recipe, deepest_layer, require, smallest_side
from .spectrum_start import start_from_style_spectrum
from .steps import EvaluationRun, Level, levels
from .targets import Picture, StylePictures, Targets, at_size, resized, scaled, tensor

log = logging.getLogger("styled")

PATIENCE, STILL = 30, 1e-4  # evaluations in which the loss must fall by this share, or the picture stands still
ALIGNED = 16  # px: the smallest levels of a pyramid and of the network end where the canvas does
STEPS_PER_LOOK = 10  # at a GPU's loss: each look waits for the device
Optimizer = LBFGS | ProjectedGradient


class Stylizer:
    """VGG19 on a device, ready to paint. Not to be used by two threads at a time."""

    def __init__(
        self,
        device: str = "auto",
        weights: str | Path = "auto",
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        """WeightsError, DeviceError. threads: of the CPU, None for torch's choice; progress: of a download."""
        self._device = find_device(device)
        self.device, self.device_name = str(self._device), device_name(self._device)
        if threads is not None:
            self.threads = threads
        if self._device.type == "cpu":
            keep_freed_memory()
        self.weights, tensors = load(weights, progress=progress)
        self._vgg = VGG(tensors, self._device)
        self._targets = Targets(self._device)
        warm_up(self._device)

    @property
    def threads(self) -> int:
        """CPU threads for painting; they are the process's, not this object's."""
        return torch.get_num_threads()

    @threads.setter
    def threads(self, count: int) -> None:
        torch.set_num_threads(count)

    @property
    def targets_computed(self) -> int:
        """Style targets computed since the start; those that were still there do not count."""
        return self._targets.computed

    def paint(
        self,
        content: Picture,
        style: Picture | StylePictures,
        recipe: Recipe = PRESETS["fine"],
        on_step: OnStep | None = None,
        before: Sequence[EvaluationRun] = (),
    ) -> Picture:
        """content (H, W, 3), style of any size → painting (H, W, 3); all float32 sRGB in [0, 1].

        The style comes at the scale wanted beside the full painting; several pictures blend by their weights.
        RecipeError where these weights are not deep enough; TooLargeError where memory is not enough. What
        `on_step` raises ends the painting. The same input gives the same bits on as many threads of a CPU, computed
        in the same way; `before` is that of an earlier painting, the stretches of its last step, to be taken again.
        """
        require(recipe, self.weights.deepest)
        photo, pictures = _checked(content, "content"), _weighted(style)
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
        """The loss that `paint` minimises at full size, and its gradient: x (1, 3, H, W) → (), (1, 3, H, W)."""
        require(recipe, self.weights.deepest)
        photo, pictures = _checked(content, "content"), _weighted(style)
        c = tensor(photo, smallest_side(deepest_layer(recipe))).to(self._device)
        with torch.no_grad():
            if recipe.recolor is not None:
                c = _recolored(c, colors.color_map(photo, pictures, recipe.recolor))
            levels = len(level_weights(recipe, c.shape[2:]))
            return Objective(self._vgg, recipe, c, self._targets.get(self._vgg, pictures, recipe, 1.0, levels))

    def _painted(
        self, photo: Picture, pictures: StylePictures, recipe: Recipe, on_step: OnStep, before: Sequence[EvaluationRun]
    ) -> Picture:
        """Coarse to fine: each scale starts from the painting of the scale before."""
        tint = colors.tint(pictures, recipe.achromatic) if recipe.achromatic else None
        if tint:
            photo, pictures = colors.grey(photo), [(colors.grey(picture), weight) for picture, weight in pictures]
        color = None if recipe.recolor is None else colors.color_map(photo, pictures, recipe.recolor)
        full = tensor(_canvas(photo, recipe), smallest_side(deepest_layer(recipe)))
        account = PaintingProgress(levels(recipe, *full.shape[2:]), self._device, on_step, before)
        c = x = torch.empty(0)
        learnt: list[LBFGS] = []  # what an eased level has learnt, for the next
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
            del evaluate  # with what it keeps
            trim_memory()  # there is no memory to spare for the next scale's start
        rows, columns = (slice(recipe.margin, recipe.margin + length) for length in photo.shape[:2])
        painting = np.ascontiguousarray(x[0, :, rows, columns].permute(1, 2, 0).cpu().numpy())
        return tint.on(painting.mean(2, keepdims=True)) if tint and recipe.keep_colors == "no" else painting

    def _start(self, c: Tensor, pictures: StylePictures, recipe: Recipe) -> Tensor:
        """x at the coarsest scale, of c's shape, and nobody else's: an optimizer may move it."""
        if recipe.start == "noise":
            noise = torch.Generator().manual_seed(recipe.seed)  # the CPU's, so that every device starts alike
            return torch.rand(c.shape, generator=noise).to(c.device)
        if recipe.start == "style":
            heaviest = max(pictures, key=lambda picture: picture[1])[0]
            return at_size(tensor(heaviest, 1), c.shape[2:]).to(c.device, copy=True)
        return c.clone()

    def _scaled(self, pictures: StylePictures, recipe: Recipe, level: Level) -> list[tuple[Tensor, float]]:
        """The style pictures at a level's scale, on the device, with their weights."""
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

        `held`: bytes of it that are an optimizer's already.
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
        """The best picture found with this level's evaluations; the first of them is the start's own.

        `learnt`: an optimizer that goes on, which is taken out of it, or, of an eased level, put into it.
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
                continue  # what a new optimizer has to learn about a known point is no progress
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


class Search:
    """The optimiser of one level; on a GPU its steps are captured in a CUDA graph."""

    def __init__(self, evaluate: FallbackObjective, device: torch.device, learnt: LBFGS | None) -> None:
        """`learnt`: an optimiser that goes on with this level's loss, if it has the pairs that the plan allows."""
        self._evaluate, self._device = evaluate, device
        self.optimizer: Optimizer | None = learnt if learnt and learnt.history == evaluate.plan.history else None
        self._step: CapturedStep | None = None
        self._plan: Plan | None = None  # that `_step` was made for

    @property
    def best_loss(self) -> float:
        assert self.optimizer is not None
        return float(self.optimizer.best_loss)

    def best(self, x: Tensor) -> Tensor:
        """The best picture so far; x before the first step."""
        return x if self.optimizer is None else self.optimizer.best

    def left(self, x: Tensor) -> Tensor:
        """The best picture so far, when the optimiser is given up; the next step makes a new one."""
        x = self.best(x)
        self.optimizer = self._step = None
        return x

    def step(self, x: Tensor) -> bool:
        """One evaluation: of x by a new optimiser, or of its next point. False if memory ran out."""
        try:
            optimizer, m = self.optimizer, self._evaluate.plan.history
            if optimizer is None:
                self.optimizer = LBFGS(self._evaluate, x, m) if m else ProjectedGradient(self._evaluate, x)
            elif isinstance(optimizer, LBFGS) and optimizer.evaluate is not self._evaluate:
                optimizer.go_on(self._evaluate)
            else:
                if self._step is None or self._plan != self._evaluate.plan:
                    self._step, self._plan = CapturedStep(optimizer.step, self._device), self._evaluate.plan
                self._step()
        except Exception as error:
            if not is_shortage(error):
                raise
            return False
        return True


def _canvas(photo: Picture, recipe: Recipe) -> Picture:
    """The photo, continued by its mirror image on each side; at the far sides to a multiple of ALIGNED px."""
    if not recipe.margin:
        return photo
    sides = [(recipe.margin, recipe.margin + -(length + 2 * recipe.margin) % ALIGNED) for length in photo.shape[:2]]
    return np.pad(photo, (*sides, (0, 0)), mode="reflect")


def _recolored(c: Tensor, color: colors.Map) -> Tensor:
    """(1, 3, H, W) within [0, 1], by a map of its colours."""
    T, b = (torch.from_numpy(v).to(c.device, c.dtype) for v in color)
    return torch.addmm(b[:, None], T, c[0].flatten(1)).view(c.shape).clamp_(0, 1)


def _stands_still(seen: Sequence[tuple[int, float]]) -> bool:
    """Whether the loss has not fallen to speak of for a while; `seen`: evaluations and losses, oldest first."""
    done, loss = seen[-1]
    before = [earlier for count, earlier in seen if count <= done - PATIENCE]
    return bool(before) and loss >= before[-1] * (1 - STILL)


def _carried(x: Tensor, c: Tensor, below: Tensor, recipe: Recipe) -> Tensor:
    """The painting of the scale below at c's, with the content's own detail, which the scale below has not seen."""
    x = resized(x, c.shape[2:])
    if recipe.start == "content":
        x = x + c
        x -= resized(below, c.shape[2:])
    return x.clamp(0, 1)


def _checked(picture: Picture, name: str) -> Picture:
    """ValueError for what is no picture; values beyond [0, 1] are clipped, what is no number is black."""
    picture = np.asarray(picture, dtype=np.float32)
    if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise ValueError(f"{name}: an array of shape {picture.shape} is no picture (H, W, 3)")
    sound = picture.min() >= 0 and picture.max() <= 1  # which no number that is none says of itself
    return picture if sound else np.clip(np.nan_to_num(picture), 0, 1)


def _weighted(style: Picture | StylePictures) -> StylePictures:
    """One style picture or several, as several; ValueError for weights that do not add up to anything."""
    if isinstance(style, np.ndarray):
        return [(_checked(style, "style"), 1.0)]
    weights = [weight for _, weight in style]
    if not weights or not all(math.isfinite(w) and w >= 0 for w in weights) or sum(weights) == 0:
        raise ValueError(f"style: the weights {weights} are not numbers of at least 0, one of them above")
    return [(_checked(picture, "style"), float(weight)) for picture, weight in style if weight > 0]
