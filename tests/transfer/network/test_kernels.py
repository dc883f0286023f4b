"""The compiled kernels beside what they stand for, in float64; those for both kinds of processor, where it has both."""

import ctypes
import platform
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import torch.nn.functional as nn_f
from torch import Tensor

from daemon.transfer import devices, losses
from daemon.transfer.devices import device_name
from daemon.transfer.network import kernels
from daemon.transfer.network.kernels import FOLDER, Kernels
from daemon.transfer.network.vgg import VGG
from daemon.transfer.network.winograd import Convolution
from daemon.transfer.recipe import recipe
from daemon.transfer.stylizer import Stylizer
from tests.support.objectives import preset_objective, random_weights
from tests.support.scenes import scene

CAPABILITY = torch.backends.cpu.get_cpu_capability()
CAN = {"AVX512": ["avx512", "avx2"], "AVX2": ["avx2"]}.get(CAPABILITY, [])
BUILT = sys.platform == "linux" and platform.machine() == "x86_64" and bool(shutil.which("cc") or shutil.which("gcc"))
needs_kernels = pytest.mark.skipif(not BUILT or not CAN, reason="no C compiler, or no kernels for this processor")


@pytest.fixture(params=CAN or ["none"])
def compiled(request: pytest.FixtureRequest) -> Kernels:
    return Kernels(ctypes.CDLL(str(FOLDER / f"kernels-{request.param}.so")), ctypes.CDLL(kernels._openmp()))


@pytest.fixture
def torch_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for home in (kernels, devices):
        monkeypatch.setattr(home, "loaded", lambda: None)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def picture(n: int, height: int, width: int, seed: int = 0) -> Tensor:
    x = torch.randn(1, n, height, width, generator=torch.Generator().manual_seed(seed))
    return x.contiguous(memory_format=torch.channels_last)


def distance(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected).norm() / expected.norm())


@needs_kernels
def test_they_are_there_where_there_was_a_compiler() -> None:
    assert kernels.loaded(), "build them: pip install -e ."
    assert f"{CAPABILITY} kernels" in device_name(torch.device("cpu"))
    x = picture(64, 5, 7)
    assert kernels.fitting(x)
    assert not kernels.fitting(x.double())
    assert not kernels.fitting(x.contiguous()), "not channels_last"
    assert not kernels.fitting(x[:, :48])
    assert not kernels.fitting(x.clone().requires_grad_())


@needs_kernels
@pytest.mark.parametrize(("n", "m"), [(64, 64), (64, 128), (256, 64)])
@pytest.mark.parametrize("shape", [(4, 4), (1, 1), (13, 22), (3, 50)])
@pytest.mark.parametrize("edge", [False, True])
def test_a_convolution_is_torchs(compiled: Kernels, n: int, m: int, shape: tuple[int, int], edge: bool) -> None:
    x, weight, bias = picture(n, *shape), torch.randn(m, n, 3, 3) / (9 * n) ** 0.5, torch.randn(m)
    convolution = Convolution(compiled, weight, bias)
    padded = nn_f.pad(x.double(), (1, 1, 1, 1), mode="replicate" if edge else "constant")
    expected = nn_f.conv2d(padded, weight.double(), bias.double())
    assert distance(convolution.forward(x, edge, False), expected) < 1e-5
    rectified = nn_f.conv2d(padded.relu(), weight.double(), bias.double())
    assert distance(convolution.forward(x, edge, True), rectified) < 1e-5


@needs_kernels
@pytest.mark.parametrize("edge", [False, True])
def test_the_way_back_through_a_convolution_is_torchs(compiled: Kernels, edge: bool) -> None:
    x, g = picture(64, 9, 14), picture(128, 9, 14, seed=1)
    weight = torch.randn(128, 64, 3, 3) / 24
    convolution = Convolution(compiled, weight, torch.randn(128))
    padded = nn_f.pad(x.double(), (1, 1, 1, 1)).requires_grad_()
    nn_f.conv2d(padded, weight.double()).backward(g.double())  # type: ignore[no-untyped-call]
    assert padded.grad is not None
    expected = padded.grad if edge else padded.grad[..., 1:-1, 1:-1]
    assert distance(convolution.backward(g, edge, None), expected) < 1e-5
    if not edge:
        assert distance(convolution.backward(g, False, x), expected * (x > 0)) < 1e-5


@needs_kernels
def test_no_bit_of_a_convolution_depends_on_the_threads(compiled: Kernels, two_threads: None) -> None:
    x, convolution = picture(64, 70, 90), Convolution(compiled, torch.randn(64, 64, 3, 3), torch.randn(64))
    both = convolution.forward(x, False, False)
    torch.set_num_threads(1)
    assert torch.equal(convolution.forward(x, False, False), both)


@needs_kernels
def test_threads_do_not_work_in_each_others_memory(compiled: Kernels) -> None:
    """Two stylizers may paint side by side in one process."""
    convolution = Convolution(compiled, torch.randn(64, 64, 3, 3), torch.randn(64))
    pictures = [picture(64, 60, 80, seed) for seed in range(2)]
    alone = [(convolution.forward(x, False, False), compiled.products(x, x.mean((0, 2, 3)))) for x in pictures]

    def same(n: int) -> bool:
        return all(
            torch.equal(convolution.forward(pictures[n], False, False), alone[n][0])
            and torch.equal(compiled.products(pictures[n], pictures[n].mean((0, 2, 3))), alone[n][1])
            for _ in range(20)
        )

    with ThreadPoolExecutor(2) as both:
        assert list(both.map(same, range(2))) == [True, True]


@needs_kernels
@pytest.mark.parametrize("n", [64, 128, 256])
@pytest.mark.parametrize("cut", [False, True])
def test_sums_over_pixels_are_matrix_products(compiled: Kernels, n: int, cut: bool, two_threads: None) -> None:
    """Of a whole picture, in more than one chunk, and of a core cut out of a tile."""
    F, g = picture(n, 21, 37), picture(n, 21, 37, seed=1)
    if cut:
        F, g = F[..., 2:-3, 4:-1], g[..., 2:-3, 4:-1]
    f = losses.maps(F).double()
    mean, S, row = f.mean(0), torch.randn(n, n), torch.randn(n)
    S, p = S + S.T, torch.rand(1, 1, *F.shape[2:])
    weight = p.view(-1, 1).double()
    assert distance(compiled.products(F, None), f.T @ f) < 1e-6
    assert distance(compiled.products(F, mean.float()), (f - mean).T @ (f - mean)) < 1e-6
    assert distance(compiled.products(F, mean.float(), p), (f - mean).T @ ((f - mean) * weight)) < 1e-6
    expected, weighted = losses.maps(g).double() + f @ S.double() + row, losses.maps(g).double()
    around, by_weight = g.clone(), g.clone()
    compiled.add_product(g, F, S, row)
    assert distance(losses.maps(g), expected) < 1e-6
    compiled.add_product(around, F, S, None)
    assert distance(losses.maps(around), expected - row) < 1e-6
    compiled.add_product(by_weight, F, S, row, p)
    assert distance(losses.maps(by_weight), weighted + (f @ S.double() + row) * weight) < 1e-6


@needs_kernels
@pytest.mark.parametrize("shape", [(6, 8), (7, 9), (2, 3)])
def test_pooling_is_torchs_where_two_are_the_largest_and_on_odd_sides_too(
    compiled: Kernels, shape: tuple[int, int]
) -> None:
    x = picture(64, *shape).mul(2).round()  # few values, so that many are equal
    leaf = x.clone().requires_grad_()
    y = nn_f.max_pool2d(leaf, 2)
    g = picture(64, y.shape[2], y.shape[3], seed=1)
    y.backward(g)  # type: ignore[no-untyped-call]
    assert torch.equal(compiled.pool(x), y)
    assert leaf.grad is not None
    assert torch.equal(compiled.unpool(x, g), leaf.grad)


@needs_kernels
def test_what_is_no_number_stays_none(compiled: Kernels) -> None:
    """Or a sick evaluation would look like a sound one."""
    x, convolution = picture(64, 8, 8), Convolution(compiled, torch.randn(64, 64, 3, 3), torch.zeros(64))
    x[0, 3, 4, 4] = torch.nan
    assert convolution.forward(x, False, True).isnan().any()
    assert compiled.products(x, None).isnan().any()


@pytest.mark.usefixtures("torch_alone")
@pytest.mark.parametrize("preset", ["fine", "tutorial"])
def test_without_them_the_gradient_is_the_same(preset: str) -> None:
    x = torch.from_numpy(scene(32, 48, 3)).permute(2, 0, 1)[None].contiguous()
    plain = preset_objective(preset, torch.float32)
    exact = preset_objective(preset, torch.float64)(x.double())[1]
    assert distance(plain(x)[1], exact) < 1e-5


@pytest.mark.usefixtures("torch_alone")
def test_without_them_a_painting_comes_out_all_the_same() -> None:
    how = recipe("draft")
    stylizer = Stylizer(device="cpu", weights="embedded")
    assert "kernels" not in stylizer.device_name
    assert stylizer.paint(scene(32, 40, 1), scene(32, 40, 2), how).std() > 0.01


def test_a_library_of_another_day_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kernels, "CONTRACT", kernels.CONTRACT + 1)
    assert kernels.loaded.__wrapped__() is None
    monkeypatch.setattr(kernels, "FOLDER", tmp_path)
    assert kernels.loaded.__wrapped__() is None


def test_autograd_finds_its_own_way_through_the_network() -> None:
    """Which knows nothing of kernels: where a gradient is asked for, torch's functions are used."""
    x = torch.rand(1, 3, 16, 16, requires_grad=True)
    F = VGG(random_weights(), torch.device("cpu")).features(x, ["relu2_1"], "max")["relu2_1"]
    (gradient,) = torch.autograd.grad(F.sum(), x)
    assert gradient.abs().max() > 0
