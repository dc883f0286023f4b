import pytest
import torch
from torch import Tensor

from daemon.transfer.spectrum_start import start_from_style_spectrum


def picture(seed: int, height: int, width: int, contrast: float = 0.05) -> Tensor:
    """Coloured noise of another strength in each colour, near grey: nothing is clipped."""
    noise = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(seed))
    mixed = torch.einsum("ij,njhw->nihw", torch.tensor([[1.0, 0, 0], [0.5, 1, 0], [0.2, -0.4, 0.5]]), noise)
    return 0.5 + contrast * mixed


def covariance(x: Tensor) -> Tensor:
    return torch.cov(x[0].flatten(1))


def test_takes_the_styles_mean_and_covariance_whatever_its_shape() -> None:
    x, style = picture(0, 48, 64, 0.01).mean(1, keepdim=True).expand(1, 3, 48, 64), picture(1, 40, 81) + 0.1
    found = start_from_style_spectrum(x + picture(2, 48, 64, 0.01) - 0.5, [(style, 2.0)])
    torch.testing.assert_close(found.mean((2, 3)), style.mean((2, 3)), atol=0.003, rtol=0)
    assert (covariance(found) - covariance(style)).norm() < 0.15 * covariance(style).norm()


def test_a_picture_with_the_styles_spectrum_stays_as_it_is() -> None:
    x = picture(3, 33, 50)
    torch.testing.assert_close(start_from_style_spectrum(x, [(x, 1.0)]), x, atol=1e-4, rtol=0)


def test_contours_stay_where_they_are() -> None:
    """A filter without phase: an edge in the middle is as steep, and still in the middle."""
    x = torch.full((1, 3, 32, 64), 0.4)
    x[..., 32:] = 0.6
    across = start_from_style_spectrum(x, [(picture(4, 32, 64), 1.0)])[0].mean((0, 1)).diff().abs()
    assert int(across[4:-4].argmax()) + 4 == 31


def test_several_styles_count_by_their_weights() -> None:
    x, a, b = picture(5, 32, 32), picture(6, 32, 32) - 0.1, picture(7, 32, 32) + 0.1
    found = start_from_style_spectrum(x, [(a, 3.0), (b, 1.0)])
    torch.testing.assert_close(found.mean((2, 3)), (3 * a + b).mean((2, 3)) / 4, atol=0.003, rtol=0)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_pictures_of_one_colour_give_no_nan(value: float) -> None:
    flat = torch.full((1, 3, 16, 24), value)
    for x, style in ((flat, picture(8, 20, 20)), (picture(8, 20, 20), flat), (flat, flat)):
        found = start_from_style_spectrum(x, [(style, 1.0)])
        assert found.isfinite().all()
        assert found.min() >= 0
        assert found.max() <= 1
