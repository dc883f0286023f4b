"""Two figures by a network that no painting has seen: the painter's hand in smooth places, and the content at depth.

A painting minimises its distance to the style in its own network's features, so those features can't judge it. Give
another network with `--judge FILE` (a state_dict of VGG19, as torchvision's).
"""

from pathlib import Path

import torch
import torch.nn.functional as nn_f
from torch import Tensor

from daemon.transfer.network.layers import LAYERS
from daemon.transfer.network.weights import load
from tests.benchmarks.look.metrics import luminance
from tests.benchmarks.look.network import Weights, features
from tests.benchmarks.look.peers import deepest

SIDE = 384  # px, the long side at which every picture is judged
SMOOTH = 0.4  # share of the photo's pixels that count as smooth
HAND = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
DEPTH = ("relu3_1", "relu4_2", "relu5_1")


class Judge:
    """A network's opinion of paintings."""

    def __init__(self, file: Path) -> None:
        """The layers that this network has of those that are looked at. Raises what `weights.load` raises."""
        self.weights: Weights = load(str(file))[1]
        last = LAYERS.index(deepest(self.weights))
        self.hand, self.depth = (tuple(name for name in of if LAYERS.index(name) <= last) for of in (HAND, DEPTH))

    @torch.no_grad()
    def figures(self, x: Tensor, content: Tensor, style: Tensor) -> dict[str, float]:
        """`smooth`: Fréchet distance of the features in the photo's smoothest places to the style's, relative; 0 is
        the style itself. There the photo gives nothing, so an empty, embossed or tinted place has a high figure.
        `content`: 1 - cosine of the deep features with the photo's; 0 keeps everything, 1 nothing.
        """
        c, s = at_side(content), at_side(style)
        x = nn_f.interpolate(x, c.shape[2:], mode="bilinear", antialias=True)
        layers = frozenset(self.hand + self.depth)
        F, P, S = (features(self.weights, picture, layers) for picture in (x, c, s))
        places = smooth_places(c)
        smooth = [apart(F[name][0][:, within(places, F[name])], S[name][0].flatten(1)) for name in self.hand]
        depth = [1 - nn_f.cosine_similarity(F[name][0], P[name][0], dim=0).mean() for name in self.depth]
        return {"smooth": sum(smooth) / len(smooth), "content": float(torch.stack(depth).mean())}


def at_side(x: Tensor) -> Tensor:
    shape = [max(16, round(length * SIDE / max(x.shape[2:]))) for length in x.shape[2:]]
    return nn_f.interpolate(x, shape, mode="bilinear", antialias=True)


def smooth_places(content: Tensor) -> Tensor:
    """(1, 1, H, W), 1 in the smoothest places: those farthest from a gradient of the photo's luminance."""
    y = nn_f.avg_pool2d(luminance(content), 5, 1, 2)
    right, down = nn_f.pad(y.diff(dim=3), (0, 1, 0, 0)), nn_f.pad(y.diff(dim=2), (0, 0, 0, 1))
    steep = nn_f.max_pool2d((right.square() + down.square()).sqrt(), 9, 1, 4)
    return (steep <= steep.flatten().quantile(SMOOTH)).float()


def within(places: Tensor, F: Tensor) -> Tensor:
    """(H, W) of F: which of its pixels see smooth places; the smoothest if none does wholly."""
    share = nn_f.interpolate(places, F.shape[2:], mode="area")[0, 0]
    return share >= min(0.9, float(share.max()))


def apart(a: Tensor, b: Tensor) -> float:
    """Fréchet distance of two sets of features (N, pixels), relative to the energy of b (Heusel et al. 2017)."""
    (m, C), (n, D) = ((v.double().mean(1), torch.cov(v.double(), correction=0)) for v in (a, b))
    values, vectors = torch.linalg.eigh(C)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    shared = torch.linalg.eigvalsh(root @ D @ root).clamp(min=0).sqrt().sum()
    off = (m - n).square().sum() + C.trace() + D.trace() - 2 * shared
    return float(off / (D.trace() + n.square().sum()))
