"""The figures that judge how paintings look see what they are named after, and the benchmark still runs."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from daemon.transfer.network.weights import load
from tests.benchmarks import seed
from tests.benchmarks.look import balance, chance, columns, consistency, metrics, network, peers
from tests.benchmarks.look.__main__ import main
from tests.benchmarks.look.columns import verdict
from tests.benchmarks.seed import picture, tensor
from tests.support.benchmark import benchmark

pytestmark = pytest.mark.slow


def scene(height: int = 96, width: int = 128, seed: int = 0) -> Tensor:
    """(1, 3, height, width): coloured blots of all sizes, other for each seed."""
    random = torch.Generator().manual_seed(seed)
    x = sum(metrics.blur(torch.randn(1, 3, height, width, generator=random), s) * s for s in (0.7, 1.5, 3.0, 6.0))
    assert isinstance(x, Tensor)
    return (0.5 + 0.15 * x).clamp(0, 1)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def test_a_picture_is_no_distance_from_itself_and_further_the_more_it_is_blurred() -> None:
    x = scene()
    distances = [mean(metrics.style_distance(metrics.blur(x, sigma), x)) for sigma in (0.5, 1.0, 2.0)]
    assert metrics.style_distance(x, x) == [0.0] * metrics.BANDS
    assert 0 < distances[0] < distances[1] < distances[2]


def test_distance_is_of_texture_and_not_of_place() -> None:
    x = scene(128, 128)
    turned, other = x.flip(3), (x - 0.5) * 0.4 + 0.5
    near, far = (metrics.style_distance(found, x)[:-1] for found in (turned, other))
    assert max(near) < 0.2 * min(far)


def test_each_band_sees_its_own_size() -> None:
    x = scene()
    fine = metrics.style_distance((x + 0.1 * metrics.pyramid(torch.randn_like(x))[0]).clamp(0, 1), x)
    tone = metrics.style_distance((x + 0.1).clamp(0, 1), x)
    assert max(fine) == fine[0]
    assert max(tone) == tone[-1]


def test_gradient_correlation_falls_with_a_shift() -> None:
    x = scene()
    kept = [metrics.gradient_correlation(x.roll(shift, 3), x) for shift in (0, 1, 3)]
    assert kept[0] == pytest.approx(1.0, abs=1e-5)
    assert kept[0] > kept[1] > kept[2]
    assert metrics.gradient_correlation(1 - x, x) == pytest.approx(1.0, abs=1e-5)  # contours, whatever their tones
    assert abs(metrics.gradient_correlation(scene(seed=1), x)) < 0.3


def test_ssim_is_one_for_the_same_and_falls_with_noise() -> None:
    x = scene()
    noisy = [metrics.similarity((x + s * torch.randn_like(x)).clamp(0, 1), x) for s in (0.02, 0.1)]
    assert metrics.similarity(x, x) == pytest.approx(1.0, abs=1e-5)
    assert 1 > noisy[0] > noisy[1]
    assert metrics.similarity(1 - x, x) < 0


def test_stripes_are_coherent_and_noise_is_not() -> None:
    stripes = (torch.arange(128) / 3).sin().mul(0.3).add(0.5).expand(1, 3, 96, 128)
    assert metrics.coherence(stripes) > 0.99
    assert metrics.coherence(torch.rand(1, 3, 96, 128)) < 0.6


def test_noise_is_seen_in_the_finest_band() -> None:
    x = scene()
    assert metrics.finest_energy(x + 0.1 * torch.randn_like(x)) > 2 * metrics.finest_energy(x)
    assert metrics.finest_energy(metrics.blur(x, 2.0)) < 0.5 * metrics.finest_energy(x)


@pytest.mark.parametrize("wide", [2, 8, 16])
def test_a_dark_frame_is_a_border(wide: int) -> None:
    x = scene(128, 160)
    framed = x * 0.5
    framed[..., wide:-wide, wide:-wide] = x[..., wide:-wide, wide:-wide]
    assert metrics.border(x, x) == (0.0, 0.0)
    assert metrics.border(framed, x)[0] > 0.1 * wide / 16


def test_a_smooth_frame_is_a_border_and_a_change_of_tone_is_none() -> None:
    x = scene(128, 160)
    smooth = metrics.blur(x, 4.0)
    smooth[..., 16:-16, 16:-16] = x[..., 16:-16, 16:-16]
    assert metrics.border(smooth, x)[1] > 0.3
    assert max(metrics.border(0.8 * x + 0.1, x)) < 0.03


def test_a_flat_painting_has_no_border_whatever_the_photo_has() -> None:
    framed = scene(96, 128)
    framed[:, :, :16] = 0.9
    assert metrics.border(torch.full_like(framed, 0.5), framed) == (0.0, 0.0)


def test_octaves_are_of_the_picture_and_not_of_its_pixels() -> None:
    def waves(size: int, cycles: int) -> Tensor:
        return (torch.arange(size) * (2 * math.pi * cycles / size)).sin().expand(1, 3, size * 3 // 4, size) * 0.2

    small, large, wrong = (metrics.octaves(waves(*how)) for how in ((64, 6), (256, 6), (256, 24)))
    assert max(small, key=small.__getitem__) == 2  # 4 to 8 cycles
    assert small[2] == pytest.approx(0.2 / 2**0.5, rel=0.1)
    assert large[2] == pytest.approx(small[2], rel=0.02)
    assert max(wrong, key=wrong.__getitem__) == 4
    assert [octave["within"] for octave in consistency.compared(small, small, large) if octave["cycles"] == 4] == [True]
    assert [octave["within"] for octave in consistency.compared(small, small, wrong) if octave["cycles"] == 4] == [
        False
    ]


def test_what_seeds_differ_by_is_no_inconsistency() -> None:
    (octave,) = consistency.compared({3: 1.0}, {3: 1.2}, {3: 1.3})
    assert octave == {"cycles": 8, "ratio": 1.3, "ratio_of_seeds": 1.2, "within": True}
    assert not consistency.compared({3: 1.0}, {3: 1.0}, {3: 1.3})[0]["within"]


def test_the_weights_win_by_style_and_by_the_styles_own_coherence() -> None:
    random = {"style_distance": 0.2, "coherence": 1.2}
    assert chance.better({"style_distance": 0.1, "coherence": 0.9}, random)
    assert not chance.better({"style_distance": 0.1, "coherence": 1.3}, random)
    assert not chance.better({"style_distance": 0.3, "coherence": 1.0}, random)


def test_one_lucky_draw_of_random_weights_does_not_decide_but_is_told() -> None:
    ours = {"style_distance": 0.11, "coherence": 0.9}
    draws = [{"style_distance": distance, "coherence": 0.8} for distance in (0.09, 0.12, 0.13)]
    assert chance.judged(ours, draws) == {"won": True, "draws_won": 2}
    assert chance.judged(ours, draws[:1] * 2 + draws[1:2]) == {"won": False, "draws_won": 1}


def test_a_verdict_wants_all_three() -> None:
    theirs = {"style_distance": 0.2, "gradient_correlation": 0.7, "seconds": 10.0}
    cases = [
        theirs | {"style_distance": 0.1, "gradient_correlation": 0.69},
        theirs | {"style_distance": 0.1, "gradient_correlation": 0.67},
        theirs | {"style_distance": 0.1, "seconds": 11.0},
        theirs,
    ]
    pairs = [
        {"content": "c", "style": "s", "columns": {"ours": ours, "peer": theirs}, "beside": {"peer": "ours"}}
        for ours in cases
    ]
    found = verdict(pairs, "peer")
    assert (found["won"], found["of"]) == (1, 4)
    assert found["median"]["style_distance_ratio"] == pytest.approx(0.5)


def test_who_keeps_more_content_is_compared_with_a_painting_of_ours_that_keeps_as_much() -> None:
    def paint(style_weight: float) -> columns.Painted:
        return np.zeros((1, 1, 3), np.float32), {"gradient_correlation": 0.9 - 0.1 * style_weight}

    other = np.zeros((1, 1, 3), np.float32)
    found = {
        "seed": (other, {"gradient_correlation": 0.88}),
        "neural-style-pt": (other, {"gradient_correlation": 0.81}),
        "ours": paint(1.0),
    }
    beside = columns.add_balanced(found, paint)
    assert beside == {"seed": "ours, style × 0.25", "neural-style-pt": "ours"}
    assert found["ours, style × 0.25"][1]["gradient_correlation"] == pytest.approx(0.875)
    assert len(found) == 4


def test_the_same_content_is_found_by_the_style_weight() -> None:
    tried: list[float] = []

    def paint(weight: float) -> float:
        tried.append(weight)
        return weight

    weight, painting = balance.matched(paint, lambda painting: 1 / (1 + painting), wanted=0.02, near=0.003)
    assert weight == painting == pytest.approx(49, rel=0.2)
    assert len(tried) <= balance.PAINTINGS


def test_a_few_paintings_are_enough_where_the_content_fades_evenly() -> None:
    tried: list[float] = []

    def paint(weight: float) -> float:
        tried.append(weight)
        return weight

    def kept(painting: float) -> float:
        return 0.9 - 0.06 * math.log2(painting) - 0.004 * math.log2(painting) ** 2

    weight, _ = balance.matched(paint, kept, wanted=kept(0.4), near=0.003)
    assert kept(weight) == pytest.approx(kept(0.4), abs=0.003)
    assert len(tried) <= 4  # halves of the bracket would take six


def test_random_weights_have_a_mean_activation_of_one() -> None:
    weights = chance.random_weights({f"features.{n}.weight": torch.empty(s) for n, s in SHAPES.items()})
    again = chance.random_weights({f"features.{n}.weight": torch.empty(s) for n, s in SHAPES.items()})
    assert set(weights) == {f"features.{n}.{part}" for n in SHAPES for part in ("weight", "bias")}
    assert all(weights[name].equal(again[name]) for name in weights)
    x = tensor(picture(columns.path_of("contents", "street"), chance.CALIBRATED_ON))
    for F in network.features(weights, x, frozenset(("relu1_1", "relu1_2"))).values():
        assert 0.5 < float(F.mean()) < 2


SHAPES = {0: (64, 3, 3, 3), 2: (64, 64, 3, 3)}


def test_others_see_the_same_by_our_kernels() -> None:
    """Features and the derivative, in a picture whose sides are odd; conv4_1 is too wide for the kernels."""
    random = torch.Generator().manual_seed(3)
    plain = dict(load("embedded")[1])
    for n, m in ((12, 256), (14, 256), (16, 256), (19, 512)):
        plain[f"features.{n}.weight"] = torch.randn(m, 256, 3, 3, generator=random) / 30
        plain[f"features.{n}.bias"] = torch.zeros(m)
    x = torch.rand(1, 3, 37, 50, generator=random).requires_grad_(True)
    layers = frozenset(("conv1_1", "relu1_2", "relu2_1", "conv3_1", "conv4_1"))
    F, quick = (network.features(weights, x, layers, "replicate") for weights in (plain, network.Quick(plain)))
    grams = {name: torch.einsum("bihw,bjhw->ij", v, v) / v.numel() for name, v in F.items()}
    quick_grams = {name: network.gram(v) for name, v in quick.items()}
    losses = (torch.stack([(G**3).sum() for G in of.values()]).sum() for of in (grams, quick_grams))
    g, quick_g = (torch.autograd.grad(loss, x)[0] for loss in losses)
    assert all((quick[name] - F[name]).norm() < 1e-4 * F[name].norm() for name in layers)
    assert (g - quick_g).norm() < 1e-4 * g.norm()


def test_the_seeds_loop_is_the_one_that_speed_is_measured_against() -> None:
    tensors = load("embedded")[1]
    c, s = (torch.rand(1, 3, 40, 48, generator=torch.Generator().manual_seed(n)) for n in (1, 2))
    theirs = seed.lean(seed.network(tensors), c, s, 5).painting
    assert theirs is not None
    assert (peers.seeds_loop(tensors, c, s, 5 / 300) - theirs).abs().max() < 0.01


def test_the_roots_of_a_matrix_and_the_derivative_of_their_trace() -> None:
    f = torch.randn(8, 200, generator=torch.Generator().manual_seed(0))
    a = (f @ f.T / 200 + 0.1 * torch.eye(8)).requires_grad_(True)
    found: Any = peers._TraceOfRoot.apply(a)
    (derivative,) = torch.autograd.grad(found, a)
    expected = torch.linalg.eigvalsh(a).sqrt().sum()
    (by_values,) = torch.autograd.grad(expected, a)
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)
    assert torch.allclose(derivative, by_values, atol=1e-3)


def test_layers_that_weights_lack_are_replaced_and_named() -> None:
    weights = {f"features.{n}.weight": torch.empty(0) for n in (0, 2, 5, 7, 10)}
    assert peers.deepest(weights) == "relu3_1"
    assert peers.substitutes(("relu2_1", "relu5_1"), weights) == "relu2_1, relu5_1 → relu3_1"


def test_every_column_paints(tmp_path: Any) -> None:
    small = ("--size", "48", "--share", "0.004", "--threads", "1", "--pair", "landscape", "starry")
    found = benchmark("look", *small, "--preset", "draft", "--sheets", str(tmp_path), "--keep", str(tmp_path))
    (pair,) = found["pairs"]
    assert set(pair["columns"]) == {*columns.PEERS, columns.OURS, *pair["beside"].values()}
    assert set(pair["beside"]) == set(columns.PEERS)
    for row in pair["columns"].values():
        assert row["finite"]
        assert all(math.isfinite(value) for value in row.values())
    assert set(found["verdict"]) == set(columns.PEERS)
    assert "relu4_1 → relu3_1" in found["layers"]["neural-style-pt"]
    assert (tmp_path / "landscape-starry.png").stat().st_size > 10_000
    assert len(list(tmp_path.glob("*.npz"))) == len(columns.PEERS)


def test_sizes_are_compared_and_shown_as_one_size(tmp_path: Path) -> None:
    small = ("--preset", "draft", "--threads", "1", "--sheets", str(tmp_path))
    found = benchmark("look", "--consistency", "40", "64", *small, "--pair", "face", "ink")
    with Image.open(tmp_path / "consistency-face-ink.png") as shown:
        assert shown.height < 2 * 40
    assert [octave["cycles"] for octave in found["pairs"][0]["octaves"]] == [2, 4, 8]
    assert found["octaves"] == 3


def test_these_weights_are_compared_with_random_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(balance, "PAINTINGS", 2)
    monkeypatch.setattr(chance, "CALIBRATED_ON", 48)
    small = ("--size", "40", "--preset", "draft", "--device", "cpu", "--threads", "1")
    main(["--json", "--against-random", "--draws", "2", *small, "--pair", "street", "mosaic"])
    found = json.loads(capsys.readouterr().out)
    (pair,) = found["pairs"]
    distances = [pair["ours"]["style_distance"], *(draw["style_distance"] for draw in pair["random"])]
    assert len(set(distances)) == 3
    assert all(draw["style_weight"] in (0.25, 1.0, 4.0) for draw in pair["random"])
    assert (found["draws_won"], found["of_draws"]) == (pair["draws_won"], 2)
