"""A network of the caller's in place of VGG19."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers

from daemon.transfer import PRESETS, Layer, RecipeError, Stylizer, TooLargeError
from daemon.transfer import stylizer as module
from daemon.transfer.network.layers import LAYERS, VGG19
from daemon.transfer.network.own import OwnNetwork
from daemon.transfer.network.vgg import IMAGENET_MEAN, IMAGENET_STD, VGG
from daemon.transfer.objective import Objective
from tests.support.objectives import random_weights, targets
from tests.support.scenes import scene, tensor

CPU = torch.device("cpu")
PHOTO = np.random.default_rng(0).random((40, 48, 3), dtype=np.float32)
STYLE = np.random.default_rng(1).random((32, 32, 3), dtype=np.float32)
SHORT = replace(PRESETS["draft"], scales=((1.0, 4),), finer=())


class Torchvision(nn.Module):
    """torchvision's VGG19, or any other of its VGGs that shares the first layers, as somebody would hand it over."""

    layers: Mapping[str, Layer] = {name: VGG19[name] for name in LAYERS[: LAYERS.index("relu3_1") + 1]}

    def __init__(self) -> None:
        super().__init__()
        self.network = make_layers(cfgs["E"], batch_norm=False)
        self.network.load_state_dict({name[9:]: weight for name, weight in random_weights().items()})
        for layer in self.network:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False

    def features(self, x: Tensor, names: Collection[str], /) -> dict[str, Tensor]:
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
        found, y = {}, (x - mean) / std
        for name, layer in zip(self.layers, self.network, strict=False):
            found[name] = y = layer(y)
        return found


class Thin:
    """A strided convolution, and no module of torch."""

    def __init__(self, padding: int = 1, stride: int = 2, halo: int | None = 2, maps: int = 6) -> None:
        self.layers = {"thin": Layer(maps, stride, halo)}
        self.padding = padding
        self.weight = torch.randn(6, 3, 4, 4, generator=torch.Generator().manual_seed(0))

    def features(self, x: Tensor, names: Collection[str], /) -> dict[str, Tensor]:
        x = nn.functional.pad(x, (self.padding,) * 4, mode="replicate") if self.padding else x
        return {"thin": nn.functional.conv2d(x, self.weight, stride=2).relu()}


THIN = replace(SHORT, style_layers=(("thin", 1.0),), content_layers=(("thin", 1.0),))


@pytest.mark.parametrize("side", [None, 24], ids=["whole", "tiles"])
def test_another_copy_of_vgg19_has_the_loss_and_the_gradient_of_ours(side: int | None) -> None:
    recipe = replace(PRESETS["fine"], border="zeros")
    c, x, s = tensor(scene(61, 83, 1)), tensor(scene(61, 83, 3)), tensor(scene(40, 56, 2))
    ours, theirs = VGG(random_weights(), CPU), OwnNetwork(Torchvision(), CPU)
    loss, gradient = Objective(ours, recipe, c, targets(ours, s, recipe, c))(x)
    own_loss, own_gradient = Objective(theirs, recipe, c, targets(theirs, s, recipe, c), side)(x)
    assert own_loss == pytest.approx(float(loss), rel=1e-4)
    assert float((own_gradient - gradient).norm() / gradient.norm()) < 1e-3


def test_tiles_of_a_network_with_a_stride_are_the_whole_picture() -> None:
    network, shape = OwnNetwork(Thin(), CPU), (61, 83)  # whose last row has no feature
    c, x, s = tensor(scene(*shape, 1)), tensor(scene(*shape, 3)), tensor(scene(40, 56, 2))
    A = targets(network, s, THIN, c)
    loss, gradient = Objective(network, THIN, c, A)(x)
    tiled, tiled_gradient = Objective(network, THIN, c, A, 16)(x)
    assert tiled == pytest.approx(float(loss), rel=1e-4)
    assert float((tiled_gradient - gradient).norm() / gradient.norm()) < 1e-4


def test_a_stylizer_paints_with_it_and_the_loss_falls() -> None:
    steps: list[float] = []
    recipe = replace(THIN, scales=((1.0, 12),))
    painting = Stylizer(device="cpu", threads=1, network=Thin()).paint(
        PHOTO, STYLE, recipe, lambda step: steps.append(step.loss)
    )
    assert painting.shape == PHOTO.shape
    assert steps[-1] < steps[0] / 2


def test_no_level_of_the_pyramid_is_smaller_than_the_network_can_see() -> None:
    """A strip, of which the recipe would compare a level of 24 px; a layer of this network has a feature each 32 px."""
    network = Thin()
    network.layers = {"thin": Layer(6, 32, 32)}

    def features(x: Tensor, names: Collection[str], /) -> dict[str, Tensor]:
        return {"thin": nn.functional.avg_pool2d(Thin.features(network, x, names)["thin"], 16)}

    network.features = features  # type: ignore[method-assign]
    painting = Stylizer(device="cpu", threads=1, network=network).paint(
        np.random.default_rng(0).random((30, 512, 3), dtype=np.float32), STYLE, replace(THIN, scales=((1.0, 2),))
    )
    assert np.isfinite(painting).all()


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (Thin(padding=0), r"thin of a picture of .* has the shape .*; correct `layers`, or pad the convolutions"),
        (Thin(stride=4), "thin of a picture of"),
        (Thin(maps=7), r"not \(1, 7, .*; correct `layers`"),
    ],
    ids=["no padding", "another stride", "other maps"],
)
def test_features_that_lie_elsewhere_than_said_are_refused(network: Thin, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Stylizer(device="cpu", threads=1, network=network).paint(PHOTO, STYLE, THIN)


def test_a_layer_that_is_said_and_not_returned_is_named() -> None:
    network = Thin()
    network.layers["thick"] = Layer(3, 1, 1)
    recipe = replace(THIN, content_layers=(("thick", 1.0),))
    with pytest.raises(ValueError, match=r"features\(\) returns no thick"):
        Stylizer(device="cpu", threads=1, network=network).paint(PHOTO, STYLE, recipe)


def test_features_without_a_gradient_are_refused() -> None:
    class Frozen(Thin):
        def features(self, x: Tensor, names: Collection[str], /) -> dict[str, Tensor]:
            return super().features(x.detach(), names)

    with pytest.raises(ValueError, match="thin comes without a gradient"):
        Stylizer(device="cpu", threads=1, network=Frozen()).paint(PHOTO, STYLE, THIN)


@pytest.mark.parametrize("layer", [Layer(0, 1, 1), Layer(8, 0, 1), Layer(8, 1, -1)])
def test_numbers_of_a_layer_that_cannot_be_are_refused(layer: Layer) -> None:
    network = Thin()
    network.layers = {"thin": layer}
    with pytest.raises(ValueError, match="network: thin: Layer"):
        Stylizer(device="cpu", threads=1, network=network)


def test_a_recipe_of_other_layers_says_which_layers_the_network_has() -> None:
    with pytest.raises(RecipeError, match=r"style_layers: 'relu1_1' is no layer of this network; its layers are thin"):
        Stylizer(device="cpu", threads=1, network=Thin()).paint(PHOTO, STYLE, SHORT)


def test_vgg19_refuses_the_layers_of_another_network() -> None:
    with pytest.raises(RecipeError, match="'thin' is no layer of VGG19"):
        Stylizer(device="cpu", weights="embedded", threads=1).paint(PHOTO, STYLE, THIN)


def test_without_a_halo_a_picture_too_large_for_memory_is_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def short(*_: object) -> int:
        return 1 << 20

    monkeypatch.setattr(module, "free_memory", short)
    with pytest.raises(TooLargeError, match="This network has no tiles: paint a smaller size"):
        Stylizer(device="cpu", threads=1, network=Thin(halo=None)).paint(PHOTO, STYLE, THIN)
    with_halo = Stylizer(device="cpu", threads=1, network=Thin()).paint(PHOTO, STYLE, THIN)
    assert with_halo.shape == PHOTO.shape, "the smallest plan is tried"


def test_a_module_is_set_to_evaluation() -> None:
    network = Torchvision()
    assert network.training
    OwnNetwork(network, CPU)
    assert not network.training
