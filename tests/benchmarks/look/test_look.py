"""The figures that judge how paintings look see what they are named after, and the benchmark still runs."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from daemon.transfer.network.weights import load
from tests.benchmarks import seed
from tests.benchmarks.look import columns, consistency, metrics, network, peers
from tests.benchmarks.look.judge import Judge
from tests.benchmarks.speed import ASSETS
from tests.support.benchmark import benchmark

pytestmark = pytest.mark.slow


def scene(height: int = 96, width: int = 128, seed: int = 0) -> Tensor:
    """(1, 3, height, width): coloured blots of all sizes, other for each seed."""
    random = torch.Generator().manual_seed(seed)
    x = sum(metrics.blur(torch.randn(1, 3, height, width, generator=random), s) * s for s in (0.7, 1.5, 3.0, 6.0))
    assert isinstance(x, Tensor)
    return (0.5 + 0.15 * x).clamp(0, 1)


def test_the_layout_of_light_is_kept_by_texture_and_lost_by_blobs() -> None:
    x = scene(seed=1)
    textured = (x + 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(2))).clamp(0, 1)
    blobs = (x + metrics.blur(torch.randn(x.shape, generator=torch.Generator().manual_seed(3)), 12.0) * 6).clamp(0, 1)
    assert metrics.tone(x, x) == pytest.approx(1.0, abs=1e-5)
    assert metrics.tone(textured, x) > 0.98
    assert metrics.tone(blobs, x) < 0.8


def test_specks_are_lone_pixels_and_no_strokes() -> None:
    x = scene()
    speckled, stroked = x.clone(), x.clone()
    speckled[:, 0, 10:90:8, 10:120:8] = 1 - speckled[:, 0, 10:90:8, 10:120:8].round()
    stroked[:, 0, 10:90:8, 10:120] = 1
    flat = torch.full_like(x, 0.5)
    assert metrics.specks(flat, flat) == 0.0
    assert metrics.specks(speckled, flat) > metrics.specks(x, flat) + 50
    assert metrics.specks(speckled, speckled) == 0.0
    assert metrics.specks(x, flat) < 5


def judge() -> Judge:
    return Judge(Path(ASSETS / "embedded.safetensors"))


def test_the_judge_sees_whether_smooth_places_are_painted() -> None:
    style = scene(seed=5)
    photo = scene(seed=6)
    photo[..., :64] = 0.5
    painted = photo.clone()
    painted[..., :64] = style[..., :64]
    bare, full = (judge().figures(x, photo, style)["smooth"] for x in (photo, painted))
    assert full < 0.5 * bare


def test_the_judge_sees_content_fade() -> None:
    photo, other = scene(seed=6), scene(seed=7)
    faded = [judge().figures(photo * (1 - s) + other * s, photo, other)["content"] for s in (0.0, 0.5, 1.0)]
    assert faded[0] == pytest.approx(0.0, abs=1e-5)
    assert faded[0] < faded[1] < faded[2] <= 1


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


def test_every_column_paints_and_is_judged(tmp_path: Any) -> None:
    small = ("--size", "48", "--share", "0.004", "--threads", "1", "--pair", "landscape", "starry")
    file = str(ASSETS / "embedded.safetensors")
    kept = ("--sheets", str(tmp_path), "--keep", str(tmp_path))
    found = benchmark("look", *small, "--preset", "draft", "--judge", file, *kept)
    (pair,) = found["pairs"]
    assert set(pair["columns"]) == {*columns.PEERS, columns.OURS}
    for row in pair["columns"].values():
        assert row["finite"]
        assert set(columns.SHOWN) <= set(row)
        assert all(math.isfinite(value) for value in row.values())
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
