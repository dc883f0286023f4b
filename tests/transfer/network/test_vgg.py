from collections.abc import Mapping
from typing import Literal

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.transforms.functional import normalize

from daemon.transfer.network.layers import LAYERS
from daemon.transfer.network.vgg import VGG
from tests.support.objectives import random_weights


@pytest.fixture(scope="module")
def weights() -> Mapping[str, Tensor]:
    return random_weights()


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_features_are_torchvisions(weights: Mapping[str, Tensor], pooling: Literal["max", "average"]) -> None:
    """Every layer, kept at once, is what torchvision's own modules give when run up to it alone."""
    x = torch.rand(1, 3, 37, 50)
    kept = VGG(weights, torch.device("cpu")).features(x, LAYERS, pooling)
    features = torchvision.models.vgg19(weights=None).features
    features.load_state_dict({name.removeprefix("features."): v for name, v in weights.items()})
    y = normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    assert list(kept) == list(LAYERS)
    with torch.no_grad():
        for name, layer in zip(LAYERS, features, strict=True):
            average = pooling == "average" and isinstance(layer, nn.MaxPool2d)
            y = nn.AvgPool2d(2, 2)(y) if average else layer(y.clone())
            torch.testing.assert_close(kept[name], y, rtol=1e-4, atol=1e-4)


def test_nothing_below_the_deepest_layer_is_computed() -> None:
    """With weights down to conv3_1 only, its layers work; there is nothing to compute a deeper one from."""
    shallow = VGG(random_weights(LAYERS.index("conv3_1") + 1), torch.device("cpu"))
    assert list(shallow.features(torch.rand(1, 3, 16, 16), {"relu1_1", "relu3_1"}, "max")) == ["relu1_1", "relu3_1"]
    with pytest.raises(KeyError):
        shallow.features(torch.rand(1, 3, 16, 16), {"conv3_2"}, "max")


def test_weights_take_no_gradient(weights: Mapping[str, Tensor]) -> None:
    x = torch.rand(1, 3, 16, 16, requires_grad=True)
    y = VGG(weights, torch.device("cpu")).features(x, {"relu2_1"}, "max")["relu2_1"]
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert gradient.abs().max() > 0
    assert all(tensor.grad is None and not tensor.requires_grad for tensor in weights.values())


def test_the_folded_normalisation_is_exact_to_the_border(weights: Mapping[str, Tensor]) -> None:
    """In float64 nothing but rounding is left, where the padding meets the picture, too."""
    x = torch.rand(1, 3, 9, 12, dtype=torch.float64)
    double = {name: tensor.double() for name, tensor in weights.items()}
    found = VGG(double, torch.device("cpu")).features(x, ["conv1_1"], "max")["conv1_1"]
    y = normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    expected = nn.functional.conv2d(y, double["features.0.weight"], double["features.0.bias"], padding=1)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_with_edges_repeated_no_feature_tells_the_border_from_the_rest(weights: Mapping[str, Tensor]) -> None:
    """A picture of one colour has features of one value; zeros beyond the border give it away."""
    x, layers = torch.full((1, 3, 16, 24), 0.2), ["conv1_1", "relu3_1"]
    vgg = VGG(weights, torch.device("cpu"))
    for F in vgg.features(x, layers, "average", "edge").values():
        assert F.std((2, 3)).max() < 1e-4 * F.abs().max()
    for F in vgg.features(x, layers, "average", "zeros").values():
        assert F.std((2, 3)).max() > 0.01 * F.abs().max()
