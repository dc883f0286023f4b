"""Terms of a loss of your own, beside or instead of the recipe's. A network in place of VGG19: see network/own.py.

A term is a function of the photo that returns a function of the painting. The first is called once for each scale with
c (1, 3, H, W), the photo in [0, 1] with the recipe's margin around it, on the Stylizer's device. The second is called
at each evaluation with x of c's shape and returns the value (), which is added to the loss; torch derives it. Gram
matrices of another network, for example, and edges that stay where the photo has them:

    import numpy as np
    import torch
    from daemon.transfer import PRESETS, Stylizer

    def edges(c):
        def steps(x):
            grey = x.mean(1, keepdim=True)
            return torch.cat((grey.diff(dim=2).flatten(), grey.diff(dim=3).flatten()))
        wanted = steps(c)
        return lambda x: 50 * (steps(x) - wanted).square().mean()

    def strokes(c):
        y = torch.from_numpy(style).permute(2, 0, 1)[None].to(c)
        wanted = [gram(F) for F in features(y)]
        return lambda x: sum((gram(F) - A).square().sum() for F, A in zip(features(x), wanted))

    torch.manual_seed(0)
    network = torch.nn.ModuleList([torch.nn.Conv2d(3, 16, 5), torch.nn.Conv2d(16, 32, 5, stride=2)])
    network.requires_grad_(False)

    def features(x):                           # the features that are compared, each (1, N, h, w)
        found = []
        for layer in network:
            x = layer(x).relu()
            found.append(x)
        return found

    def gram(F):
        F = F.flatten(2)[0]
        return F @ F.T / F.numel()

    photo = np.random.default_rng(0).random((48, 64, 3), dtype=np.float32)
    style = np.random.default_rng(1).random((64, 64, 3), dtype=np.float32)
    stylizer = Stylizer(device="cpu", weights="embedded", terms={"edges": edges, "strokes": strokes})
    painting = stylizer.paint(photo, style, PRESETS["draft"], on_step=lambda step: print(step.loss, step.terms))

With `dataclasses.replace(recipe, style_weight=0.0, content_weight=0.0)` only your terms and the total variation are
left. A term sees the whole picture, so it needs memory for the whole picture even where VGG19 is computed in tiles. On
a GPU a term must not wait for the device (no `.item()`, no `print`), or steps are launched one by one.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from .objective import Objective

Term = Callable[[Tensor], Callable[[Tensor], Tensor]]


class OwnTerms:
    """The objective of a recipe with terms of the caller's."""

    def __init__(self, objective: Objective, terms: Mapping[str, Term], c: Tensor, *, grey: bool = False) -> None:
        """`c`: the photo (1, 3, H, W). `grey`: as in Objective."""
        self._objective = objective
        self._terms = {name: term(c) for name, term in terms.items()}
        self._grey = grey

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The loss () and its gradient (1, 3, H, W) at x. Raises ValueError if a term returns no single number."""
        L, g = self._objective(x)
        with torch.enable_grad():
            y = x.detach().clone().requires_grad_()
            for name, term in self._terms.items():
                value = term(y)
                if value.numel() != 1:
                    raise ValueError(
                        f"{name}: a term returns a single number, not values of shape {tuple(value.shape)}"
                    )
                if value.requires_grad:
                    (d,) = torch.autograd.grad(value.reshape(()), y)
                    g = g + (d.mean(1, keepdim=True).expand_as(d) if self._grey else d)
                L = L + value.detach().reshape(())
        return L, g

    def terms(self, x: Tensor) -> dict[str, float]:
        """The terms that add up to the loss at x, the caller's last."""
        with torch.no_grad():
            own = {name: float(term(x)) for name, term in self._terms.items()}
        return self._objective.terms(x) | own
