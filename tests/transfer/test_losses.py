import numpy as np
import torch
import torch.nn.functional as nn_f
from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers
from torchvision.transforms.functional import normalize

from daemon.transfer import Stylizer, losses
from daemon.transfer.losses import Moments
from daemon.transfer.network.weights import load
from daemon.transfer.recipe import recipe
from tests.support.scenes import scene, tensor


def seeds_loss(x: Tensor, content: Tensor, style: Tensor) -> Tensor:
    """The tutorial's formulas on torchvision's own modules, written without a look at ours."""
    features = make_layers(cfgs["E"], batch_norm=False)[:11]
    state = {name.removeprefix("features."): tensor for name, tensor in load("embedded")[1].items()}
    features.load_state_dict(state)

    def convolved(picture: Tensor) -> list[Tensor]:
        found = []
        y = normalize(picture, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        for module in features:
            y = nn_f.relu(y) if isinstance(module, nn.ReLU) else module(y)
            if isinstance(module, nn.Conv2d):
                found.append(y)
        return found

    def gram(y: Tensor) -> Tensor:
        a, b, c, d = y.size()
        return torch.mm(y.view(a * b, c * d), y.view(a * b, c * d).t()).div(a * b * c * d)

    ours, contents, styles = convolved(x), convolved(content), convolved(style)
    total = nn_f.mse_loss(ours[3], contents[3].detach())
    for y, s in zip(ours, styles, strict=True):
        total = total + nn_f.mse_loss(gram(y) * 1000, gram(s).detach() * 1000)
    return total


def test_tutorials_loss_and_gradient_are_the_seeds(stylizer: Stylizer) -> None:
    content, style, picture = scene(40, 56, 1), scene(48, 33, 2), tensor(scene(40, 56, 3))
    loss, gradient = stylizer.objective(content, style, recipe("tutorial"))(picture)
    x = picture.clone().requires_grad_(True)
    expected = seeds_loss(x, tensor(content), tensor(style))
    (expected_gradient,) = torch.autograd.grad(expected, x)
    assert abs(loss - expected) / expected < 1e-5
    assert (gradient - expected_gradient).norm() / expected_gradient.norm() < 1e-5


def test_weights_multiply_the_presets_balance(stylizer: Stylizer) -> None:
    """With the style's weight 0 what is left is the content's loss, and the other way round."""
    content, style, x = scene(32, 32, 1), scene(32, 32, 2), tensor(scene(32, 32, 3))

    def loss(**settings: float) -> float:
        return float(stylizer.objective(content, style, recipe("fine", **settings))(x)[0])

    parts = {
        "style_weight": loss(content_weight=0, smoothness=0),
        "content_weight": loss(style_weight=0, smoothness=0),
        "smoothness": loss(style_weight=0, content_weight=0),
    }
    assert min(parts.values()) > 0
    assert np.isclose(loss(), sum(parts.values()), rtol=1e-5)
    for name, part in parts.items():
        assert np.isclose(loss(**{name: 3.0}), sum(parts.values()) + 2 * part, rtol=1e-5)


def test_gram_and_covariance_are_numpys() -> None:
    F = torch.randn(1, 5, 7, 9)
    rows = F[0].reshape(5, -1).double().numpy()
    np.testing.assert_allclose(losses.gram(F).second, rows @ rows.T / rows.shape[1], rtol=1e-4, atol=1e-5)
    moments = losses.covariance(F.contiguous(memory_format=torch.channels_last))
    np.testing.assert_allclose(moments.second, np.cov(rows, bias=True), rtol=1e-4, atol=1e-5)
    assert moments.mean is not None
    np.testing.assert_allclose(moments.mean, rows.mean(axis=1), rtol=1e-4, atol=1e-5)


def test_relative_errors_do_not_depend_on_the_weights_scale() -> None:
    F, S = torch.rand(1, 4, 8, 8), torch.rand(1, 4, 8, 8)
    for statistic in (losses.gram, losses.covariance):
        near = losses.relative_style(statistic(F), statistic(S))
        far = losses.relative_style(statistic(F * 100), statistic(S * 100))
        torch.testing.assert_close(near, far, rtol=1e-2, atol=0)
    torch.testing.assert_close(
        losses.content(F, S) / losses.content_scale(losses.covariance(S)),
        losses.content(F * 100, S * 100) / losses.content_scale(losses.covariance(S * 100)),
        rtol=1e-3,
        atol=0,
    )


def test_a_target_without_any_variance_gives_finite_losses_and_gradients() -> None:
    for value in (0.0, 0.3):
        flat, F = torch.full((1, 4, 8, 8), value), torch.rand(1, 4, 8, 8, requires_grad=True)
        for statistic in (losses.gram, losses.covariance):
            error = losses.relative_style(statistic(F), statistic(flat)) + losses.content(
                F, flat
            ) / losses.content_scale(losses.covariance(flat))
            (gradient,) = torch.autograd.grad(error, F)
            assert error.isfinite()
            assert gradient.isfinite().all()


def test_blend_averages_by_weight() -> None:
    one, two = losses.covariance(torch.rand(1, 3, 8, 8)), losses.covariance(torch.rand(1, 3, 8, 8))
    assert one.mean is not None
    assert two.mean is not None
    mixed = losses.blend([(one, 3.0), (two, 1.0)])
    assert mixed.mean is not None
    torch.testing.assert_close(mixed.second, 0.75 * one.second + 0.25 * two.second)
    torch.testing.assert_close(mixed.mean, 0.75 * one.mean + 0.25 * two.mean)
    assert losses.blend([(Moments(one.second, None), 5.0)]).mean is None


def test_total_variation_is_zero_for_one_colour_and_counts_edges() -> None:
    assert losses.total_variation(torch.full((1, 3, 8, 8), 0.4)) == 0
    stripes = torch.zeros(1, 3, 8, 8)
    stripes[..., ::2] = 1
    assert losses.total_variation(stripes) == 1


def test_the_parts_of_a_picture_make_the_moments_of_the_whole() -> None:
    """By pooling them, and as the sum of their shares; whose derivative is the whole's."""
    F = torch.rand(1, 3, 12, 10, dtype=torch.float64, requires_grad=True)
    for statistic in (losses.gram, losses.covariance):
        whole, parts = statistic(F), (F[..., :4], F[..., 4:])
        moments, counts = [statistic(part) for part in parts], (48, 72)
        pooled = losses.pooled(moments[0], 48, moments[1], 72)
        shares = [losses.share(m, whole.mean, n / 120) for m, n in zip(moments, counts, strict=True)]
        error = torch.randn(3, 3, dtype=torch.float64)
        (expected,) = torch.autograd.grad((whole.second * error).sum(), F, retain_graph=True)
        for second in (pooled.second, shares[0].second + shares[1].second):
            torch.testing.assert_close(second, whole.second)
            (gradient,) = torch.autograd.grad((second * error).sum(), F, retain_graph=True)
            torch.testing.assert_close(gradient, expected)
        if whole.mean is not None:
            torch.testing.assert_close(pooled.mean, whole.mean)
