"""The resident painter: network and style targets stay on the device, and each painting brings only a new photo."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from . import colors
from .arrays import picture
from .canvas import canvas, carried, recolored, weighted
from .devices import computes_in_half, current, device_name, find_device, warm_up
from .errors import TooLargeError
from .finish import Finish
from .looks import Looks
from .memory import free_memory, is_shortage, keep_freed_memory, trim_memory
from .network.layers import cut
from .network.own import Extractor, Network, OwnNetwork
from .network.vgg import VGG
from .network.weights import load
from .objective import Objective
from .optimizers.capture import CapturedStep
from .optimizers.lbfgs import LBFGS, Evaluate
from .plan import FallbackObjective, Plan, fitting
from .progress import OnStep, PaintingProgress
from .pyramid import level_weights
from .recipe import PRESETS, Recipe, compared, require, require_layers
from .search import Search
from .spectrum_start import start_from_style_spectrum
from .steps import EvaluationRun, Level, levels
from .targets import Picture, Style, StylePictures, Targets, at_size, scaled, tensor
from .terms import OwnTerms, Term


class Stylizer:
    """VGG19 on a device, ready to paint. Use a Stylizer in one thread at a time.

    `device` says where the Stylizer paints ("cuda:0"); `weights` is the record of VGG19's weights, which a
    Stylizer with the caller's own network has not.
    """

    def __init__(
        self,
        device: str = "auto",
        weights: str | Path = "auto",
        threads: int | None = None,
        terms: Mapping[str, Term] | None = None,
        network: Network | None = None,
    ) -> None:
        """Choose the device and load the weights.

        `device`: auto, cpu, cuda, cuda:N or mps; auto takes the best device that works. `weights`: auto, embedded,
        imagenet, or the path of a .safetensors or .pth file; see `network.weights.load`. `threads`: CPU threads, at
        least 1; None: torch's choice. `terms`: of a loss of your own, by name, added to the recipe's; see terms.py.
        `network`: of your own, in place of VGG19 and its weights; see network/own.py.

        Raises DeviceError if the device is not on this machine or does not work, and WeightsError if the weights are
        missing, damaged or not VGG19's; ValueError if `network` does not say where its layers lie.
        """
        self._device = find_device(device)
        self.device, self._name = str(self._device), device_name(self._device)
        if threads is not None:
            self.threads = threads
        if self._device.type == "cpu":
            keep_freed_memory()
        self._vgg: Extractor
        if network is None:
            self.weights, tensors = load(weights)
            self._vgg = VGG(tensors, self._device)
        else:
            self._vgg = OwnNetwork(network, self._device)
        self._targets = Targets(self._device)
        self._terms = dict(terms or {})
        warm_up(self._device)

    @property
    def device_name(self) -> str:
        """The device's name for people ("NVIDIA H100 …"), and why it does not paint as fast as it should."""
        failures = {
            "steps launched one by one": CapturedStep.failure,
            "in full precision alone": FallbackObjective.half_failure,
        }
        return self._name + "".join(f", {what} ({why})" for what, why in failures.items() if why)

    @property
    def threads(self) -> int:
        """CPU threads for painting, at least 1; the setting counts for the whole process."""
        return torch.get_num_threads()

    @threads.setter
    def threads(self, count: int) -> None:
        torch.set_num_threads(count)

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
        style pictures before, see `Recipe.style_side`. `on_step` is called with each Step, whose `picture()` is the
        painting as it is then; an exception of `on_step` ends the painting. `before`: the `stretches` of an earlier
        painting's last Step, to compute this painting in the same way: the same input then gives the same bits on the
        same CPU with the same number of threads.

        Raises RecipeError if the recipe needs deeper weights, TooLargeError if memory does not suffice even in the
        smallest tiles, and ValueError if `content` or `style` is not a picture or the style's weights are unusable.
        """
        self._require(recipe)
        photo, pictures = picture(content, "content"), weighted(style)
        if recipe.keep_colors == "statistics":
            pictures = [(colors.statistics(picture, photo), weight) for picture, weight in pictures]
        try:
            with current(self._device), torch.no_grad():
                return self._painted(photo, pictures, recipe, on_step or (lambda _: None), before)
        except Exception as error:
            if not is_shortage(error):
                raise
            raise self._too_large(photo, recipe) from None
        finally:
            trim_memory(self._device)

    def _too_large(self, photo: Picture, recipe: Recipe) -> TooLargeError:
        height, width = photo.shape[:2]
        has_tiles = cut(self._vgg.layers, compared(recipe)).halo is not None
        tiles = ", even in the smallest tiles." if has_tiles else ". This network has no tiles: paint a smaller size."
        return TooLargeError(f"{width} × {height} pixels need more memory than {self._name} has free{tiles}")

    def objective(self, content: Picture, style: Picture | StylePictures, recipe: Recipe) -> Evaluate:
        """The loss that `paint` minimises at full size: x (1, 3, H, W) → loss (), gradient (1, 3, H, W), on the device.

        Without the margin and the grey of `Recipe.margin` and `achromatic`. Raises as `paint`, except TooLargeError.
        """
        self._require(recipe)
        photo, pictures = picture(content, "content"), weighted(style)
        c = tensor(photo, self._least(recipe)).to(self._device)
        with current(self._device), torch.no_grad():
            if recipe.recolor is not None:
                c = recolored(c, colors.color_map(photo, pictures, recipe.recolor))
            levels = len(level_weights(recipe, c.shape[2:], self._least(recipe)))
            return Objective(self._vgg, recipe, c, self._targets.get(self._vgg, Style(pictures), recipe, 1.0, levels))

    @property
    def _has_half(self) -> bool:
        """Whether to compute in bfloat16 where a recipe allows it."""
        return isinstance(self._vgg, VGG) and computes_in_half(self._device) and not FallbackObjective.half_failure

    def _require(self, recipe: Recipe) -> None:
        """Raises RecipeError if the network has not every layer of the recipe."""
        if isinstance(self._vgg, VGG):
            require(recipe, self.weights.deepest)
        else:
            require_layers(recipe, self._vgg.layers)

    def _least(self, recipe: Recipe) -> int:
        """px, the shortest side of a picture in which every layer of the recipe has a feature."""
        return cut(self._vgg.layers, compared(recipe)).step

    def _painted(
        self, photo: Picture, pictures: StylePictures, recipe: Recipe, on_step: OnStep, before: Sequence[EvaluationRun]
    ) -> Picture:
        """Paint coarse to fine: each scale starts from the painting of the scale before."""
        tint = colors.tint(pictures, recipe.achromatic) if recipe.achromatic else None
        finish = Finish(photo, recipe, tint)
        if tint:
            photo, pictures = colors.grey(photo), [(colors.grey(picture), weight) for picture, weight in pictures]
        color = None if recipe.recolor is None else colors.color_map(photo, pictures, recipe.recolor)
        full = tensor(canvas(photo, recipe), self._least(recipe)).to(self._device)
        half = recipe.precision == "auto" and self._has_half
        account = PaintingProgress(levels(recipe, *full.shape[2:]), self._device, on_step, before, half)
        c = x = torch.empty(0)
        style = Style(pictures)
        learnt: list[LBFGS] = []  # the optimiser of an eased level, whose curvature the next level uses
        for scale, level in enumerate(account.levels):
            below, c = c, at_size(full, (level.height, level.width))
            c = c if color is None else recolored(c, color)
            x = carried(x, c, below, recipe) if scale else self._start(c, pictures, recipe)
            x = x.mean(1, keepdim=True).expand(c.shape).contiguous() if tint else x
            del below
            held = sum(optimizer.size for optimizer in learnt)
            evaluate = self._affordable(c, style, recipe, account, scale, held, tint is not None)
            if recipe.matched and not scale and recipe.start == "content" and evaluate.plan.history:
                x = start_from_style_spectrum(x, self._scaled(pictures, recipe, level))
            x = self._optimized(evaluate, x, scale, account, learnt, finish)
            del evaluate  # and the features that the objective keeps
            trim_memory(self._device)  # the start of the next scale needs the memory
        return finish(x)

    def _start(self, c: Tensor, pictures: StylePictures, recipe: Recipe) -> Tensor:
        """The start x at the coarsest scale, a new tensor of c's shape: an optimiser may overwrite it."""
        noise = torch.Generator().manual_seed(recipe.seed)  # on the CPU, so that every device starts alike
        if recipe.start == "noise":
            return torch.rand(c.shape, generator=noise).to(c.device)
        if recipe.start == "style":
            heaviest = max(pictures, key=lambda picture: picture[1])[0]
            return at_size(tensor(heaviest, 1), c.shape[2:]).to(c.device, copy=True)
        if recipe.grain:
            grain = torch.randn(c.shape, generator=noise).mul_(recipe.grain)
            return grain.to(c.device).add_(c).clamp_(0, 1)
        return c.clone()

    def _scaled(self, pictures: StylePictures, recipe: Recipe, level: Level) -> list[tuple[Tensor, float]]:
        """(picture (1, 3, h, w), weight) of the style pictures at a level's scale, on the device."""
        least = self._least(recipe)
        return [(scaled(picture, level.fraction, least).to(self._device), weight) for picture, weight in pictures]

    def _affordable(
        self,
        c: Tensor,
        style: Style,
        recipe: Recipe,
        account: PaintingProgress,
        scale: int,
        held: int,
        grey: bool,
    ) -> FallbackObjective:
        """The loss of a picture of c's shape, computed by the plans of `account`, then as the free memory allows.

        `held`: bytes that an optimiser holds already and goes on using; they count as free.
        """
        level = account.levels[scale]

        def objective(plan: Plan) -> Evaluate:
            count = len(level_weights(recipe, c.shape[2:], self._least(recipe)))
            A = self._targets.get(self._vgg, style, recipe, level.fraction, count, plan.side)
            vgg = self._vgg.half if plan.half and isinstance(self._vgg, VGG) else self._vgg
            own = Objective(vgg, recipe, c, A, plan.side, plan.keep, level.eased, grey)
            return OwnTerms(own, self._terms, c, grey=grey) if self._terms else own

        trim_memory(self._device)
        fit = fitting(recipe, level, free_memory(self._device) + held, self._vgg.layers)
        half = account.in_half(scale) > 0
        return FallbackObjective(objective, chain(account.plans(scale), (p._replace(half=half) for p in fit)))

    def _optimized(
        self,
        evaluate: FallbackObjective,
        x: Tensor,
        scale: int,
        account: PaintingProgress,
        learnt: list[LBFGS],
        finish: Finish,
    ) -> Tensor:
        """The best picture found with this level's evaluations, the first of the start x. An eased level puts its
        optimiser into `learnt`, and the next level takes it out.
        """
        level, done = account.levels[scale], 0
        search = Search(evaluate, self._device, learnt.pop() if learnt else None)
        looks = Looks(self._device, level.evaluations)
        while not looks.ended:
            if done and done == account.in_half(scale):
                evaluate.in_full()
                looks.forget()
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
            for count, loss in looks.after(done, search.best_loss):
                is_end = count == level.evaluations and scale == len(account.levels) - 1
                if is_end:
                    search.let_go()
                now = partial(_finished, finish, search, x, level.fraction)
                account.tell(scale, count, loss, evaluate.terms(search.best(x)) if is_end else {}, now)
        if level.eased and isinstance(search.optimizer, LBFGS):
            learnt.append(search.optimizer)
        return search.best(x)


def _finished(finish: Finish, search: Search, x: Tensor, fraction: float) -> Picture:
    """The best picture so far, as it would be shown."""
    return finish(search.best(x), fraction)
