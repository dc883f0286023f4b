"""Whole paintings and evaluations on the pretended device: the CPU's bits, no waits, few launches, a GPU's limits."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor

from daemon.transfer import Stylizer, devices, looks, losses
from daemon.transfer import stylizer as module
from daemon.transfer.network import kernels, operations
from daemon.transfer.network.vgg import VGG
from daemon.transfer.network.weights import load
from daemon.transfer.objective import Objective
from daemon.transfer.optimizers.lbfgs import LBFGS
from daemon.transfer.plan import Plan, fitting, needed
from daemon.transfer.pyramid import level_weights
from daemon.transfer.recipe import PRESETS, Recipe, recipe
from daemon.transfer.steps import LEAST_FULL, Level, Step
from daemon.transfer.targets import Picture, by_level
from tests.support import pretend_device
from tests.support.objectives import random_weights
from tests.support.pretend_device import INT32, Pretend
from tests.support.scenes import scene, tensor

pretend_device.skip_unless_possible()

DEVICE = pretend_device.device()
SLOW = pytest.mark.slow


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU that the device is compared with takes the same way as the device, which is found as a GPU is."""
    monkeypatch.setattr(kernels, "loaded", lambda: None)
    monkeypatch.setattr(operations, "by_products", lambda device: False)
    monkeypatch.setattr(losses, "copies", lambda device: False)
    monkeypatch.setattr("daemon.transfer.optimizers.lbfgs.on_host", lambda v: False)
    monkeypatch.setattr(devices, "_there", lambda: [str(DEVICE), "cpu"])
    monkeypatch.setattr(looks, "reads_later", lambda device: device.type == DEVICE.type)


def painted(device: str, how: Recipe, shape: tuple[int, int], float64: bool = True) -> tuple[Picture, list[Step]]:
    return watched(device, how, shape, Pretend(float64=float64))


def watched(device: str, how: Recipe, shape: tuple[int, int], pretend: Pretend) -> tuple[Picture, list[Step]]:
    """The painting, and its steps."""
    steps: list[Step] = []
    style = [(scene(44, 48, 1), 2.0), (scene(50, 40, 2), 1.0)]
    with pytest.MonkeyPatch.context() as patch, pretend:
        patch.setattr(looks, "pinned", pretend.pinned)
        patch.setattr(looks, "event", pretend.event)
        stylizer = Stylizer(device=device, weights="embedded")
        if how.preset == "gatys":  # it needs deeper layers than the embedded weights have
            stylizer._vgg = VGG(random_weights(), torch.device(device))
            stylizer.weights = replace(stylizer.weights, deepest="relu5_4")
        return stylizer.paint(scene(*shape), style, how, steps.append), steps


def short(preset: str, *, grey: bool = False, **settings: object) -> Recipe:
    """A preset in few evaluations; `grey`: the style is painted in luminance, whatever its colours."""
    how = recipe(preset, **settings)
    how = replace(how, scales=((1.0, 4),) if len(how.scales) == 1 else ((0.8, 3), (1.0, 4)), history=4)
    return replace(how, achromatic=9.0) if grey else how


PAINTINGS = [
    short("fine"),
    short("tutorial"),
    pytest.param(short("draft", start="style", keep_colors="luminance"), marks=SLOW),
    pytest.param(short("fine", grey=True), marks=SLOW),
    pytest.param(short("fine", start="noise", keep_colors="statistics"), marks=SLOW),
    pytest.param(short("tutorial", start="noise"), marks=SLOW),
    pytest.param(short("tutorial", start="style", keep_colors="statistics"), marks=SLOW),
    pytest.param(short("draft"), marks=SLOW),
    pytest.param(short("gatys"), marks=SLOW),
    pytest.param(short("gatys", start="noise", keep_colors="luminance"), marks=SLOW),
    pytest.param(short("gatys", start="style"), marks=SLOW),
]


def name(how: object) -> str:
    assert isinstance(how, Recipe)
    return f"{how.preset}-{how.start}-{how.keep_colors}" + ("-grey" if how.achromatic > 1 else "")


@pytest.mark.parametrize("how", PAINTINGS, ids=name)
def test_a_painting_on_a_device_has_the_cpus_bits(how: Recipe) -> None:
    """Nothing mixes devices, nothing reads a device's memory from the host, and no decision depends on the device."""
    (here, steps), (there, cpu) = (painted(where, how, (56, 64)) for where in (str(DEVICE), "cpu"))
    assert np.isfinite(here).all()
    np.testing.assert_array_equal(here, there)
    assert steps[-1].loss == cpu[-1].loss
    assert steps[-1].terms == cpu[-1].terms


@pytest.mark.parametrize("preset", [pytest.param("fine", marks=SLOW), "tutorial"])
def test_no_look_at_the_loss_lets_the_device_idle_and_each_has_the_loss_of_its_step(
    preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But the first of a scale, which tells the time of an evaluation, and the last, after which nothing is left."""
    monkeypatch.setattr(looks, "STEPS_PER_LOOK", 3)
    how, pretend = replace(short(preset), scales=((0.8, 8), (1.0, 9)), eased=0.0), Pretend()
    here, steps = watched(str(DEVICE), how, (40, 48), pretend)
    there, every = painted("cpu", how, (40, 48))
    np.testing.assert_array_equal(here, there)
    assert [step.step for step in steps] == [1, 3, 6, 8, 8 + 1, 8 + 3, 8 + 6, 8 + 9]
    assert [step.loss for step in steps] == [every[step.step - 1].loss for step in steps]
    assert pretend.waits.total() > 4, "or this test would tell nothing"
    assert {reason: n for (reason, where), n in pretend.waits.items() if "looks.py" in where} == {"event": 4}


@pytest.mark.slow
def test_so_has_a_painting_in_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "computes_in_half", lambda device: True)
    how = replace(short("fine"), scales=((1.0, LEAST_FULL + 2),))
    (here, steps), (there, _) = (painted(where, how, (40, 48)) for where in (str(DEVICE), "cpu"))
    assert [(run.half, run.evaluations) for run in steps[-1].stretches] == [(True, 2), (False, LEAST_FULL)]
    np.testing.assert_array_equal(here, there)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["fine", "tutorial", "gatys"])
@pytest.mark.parametrize("pairs", [4, 0], ids=["L-BFGS", "projected gradient"])
def test_so_has_a_painting_in_tiles_with_either_optimizer(
    monkeypatch: pytest.MonkeyPatch, preset: str, pairs: int
) -> None:
    monkeypatch.setattr(module, "fitting", lambda *_: iter([Plan(32, False, pairs)]))
    how = replace(short(preset), scales=((1.0, 2),), eased=0.0)
    (here, steps), (there, _) = (painted(where, how, (32, 72)) for where in (str(DEVICE), "cpu"))
    assert steps[-1].stretches[0].side == 32
    np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("preset", ["fine", "tutorial"])
def test_a_device_without_float64_paints(monkeypatch: pytest.MonkeyPatch, preset: str) -> None:
    for home in ("devices", "optimizers.lbfgs", "optimizers.projected_gradient"):
        monkeypatch.setattr(f"daemon.transfer.{home}.precision", lambda device: torch.float32)
    painted(str(DEVICE), short(preset), (48, 56), float64=False)


@pytest.mark.slow
def test_apples_gpus_have_every_operation_of_a_painting(monkeypatch: pytest.MonkeyPatch) -> None:
    """As torch's own list of operations says; the CPU would compute the others, and the GPU would wait."""
    pretend = Pretend()
    for preset in ("fine", "tutorial"):
        watched(str(DEVICE), short(preset), (48, 56), pretend)
    monkeypatch.setattr(module, "fitting", lambda *_: iter([Plan(32, False, 0)]))
    watched(str(DEVICE), replace(short("fine"), scales=((1.0, 2),)), (32, 72), pretend)
    torchgen = Path(torch.__file__).parents[1] / "torchgen"
    file = torchgen / "packaged/ATen/native/native_functions.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    known = {each["func"].partition("(")[0]: each for each in yaml.load(file.read_text(), loader)}

    def ways(name: str) -> str:
        listed = known.get(name, {})
        return str(known[listed["structured_delegate"]] if "structured_delegate" in listed else listed)

    assert len(pretend.operations) > 60
    lacking = {name for name in pretend.operations if "dispatch" in ways(name)}
    assert not {name for name in lacking if "MPS" not in ways(name) and "Composite" not in ways(name)}


def test_a_painter_is_warm_before_it_is_ready() -> None:
    with Pretend() as pretend:
        Stylizer(device=str(DEVICE), weights="embedded")
    assert {"convolution", "linalg_solve_triangular", "_fft_r2c"} <= set(pretend.launches)


def prepared(preset: str, height: int, width: int, side: int | None = None, eased: bool = False) -> Objective:
    """On the device, within a Pretend."""
    how, vgg = PRESETS[preset.removesuffix(" in half")], VGG(load("embedded")[1], DEVICE)
    vgg = vgg.half if preset.endswith("half") else vgg
    c, s = (tensor(scene(height, width, seed)).to(DEVICE) for seed in (1, 2))
    A = by_level(vgg, s, how, len(level_weights(how, c.shape[2:])))
    return Objective(vgg, how, c, A, side, eased=eased)


def start(height: int, width: int) -> Tensor:
    return tensor(scene(height, width, 3)).to(DEVICE)


STEPS = [
    pytest.param("tutorial", (48, 56), None, False, id="tutorial"),
    pytest.param("tutorial", (48, 56), None, True, id="tutorial eased"),
    pytest.param("fine", (72, 80), None, False, id="fine"),
    pytest.param("fine in half", (72, 80), None, False, id="fine in half precision"),
    pytest.param("fine", (40, 104), 64, False, id="fine in tiles"),
]


@pytest.mark.parametrize(("preset", "shape", "side", "eased"), STEPS)
def test_no_step_with_its_evaluation_waits_for_the_device(
    preset: str, shape: tuple[int, int], side: int | None, eased: bool
) -> None:
    with torch.no_grad(), Pretend() as pretend:
        optimizer = LBFGS(prepared(preset, *shape, side, eased), start(*shape), 4)
        for _ in range(2):
            optimizer.step()
        pretend.clear()
        optimizer.step()
        assert not pretend.waits


MOST = [  # launches of an evaluation; the picture's size decides how many levels `fine` looks at
    pytest.param("tutorial", (48, 56), False, 1, 60, id="tutorial"),
    pytest.param("tutorial", (48, 56), True, 1, 92, id="tutorial eased"),
    pytest.param("fine", (48, 56), False, 1, 110, id="fine, one level"),
    pytest.param("fine in half", (48, 56), False, 1, 135, id="fine in half precision, one level"),
    pytest.param("fine", (400, 528), False, 4, 437, id="fine, 512 px"),
]


@pytest.mark.parametrize(("preset", "shape", "eased", "levels", "most"), MOST)
def test_an_evaluation_launches_no_more_than_it_did(
    preset: str, shape: tuple[int, int], eased: bool, levels: int, most: int
) -> None:
    with torch.no_grad(), Pretend(values=False) as pretend:
        evaluate, x = prepared(preset, *shape, eased=eased), start(*shape)
        assert len(evaluate._levels) == levels
        evaluate(x)  # the network makes its turned weights once
        pretend.clear()
        evaluate(x)
        assert 0.9 * most < sum(pretend.launches.values()) <= most


def test_no_convolution_gets_a_picture_that_cudnn_would_transpose_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """There and back, in both borders: every input is channels_last, or has so few channels that it makes no odds."""
    found: list[bool] = []
    conv2d = torch.nn.functional.conv2d

    def noted(x: Tensor, w: Tensor, *more: object, **other: object) -> Tensor:
        if x.shape[1] > 3:
            found.append(x.is_contiguous(memory_format=torch.channels_last))
        return conv2d(x, w, *more, **other)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(torch.nn.functional, "conv2d", noted)
    with torch.no_grad(), Pretend():
        for preset in ("tutorial", "fine"):
            prepared(preset, 48, 56)(start(48, 56))
    assert len(found) > 20
    assert all(found)


GPUS = {  # bytes free, once a context is there; height and width
    "4 GB, 12 MP": (3.3e9, (3000, 4000)),
    "8 GB, 50 MP": (7.2e9, (5774, 8660)),
    "80 GB, 12 MP": (78e9, (3000, 4000)),
    "80 GB, 50 MP": (78e9, (5774, 8660)),
}


@pytest.mark.slow
@pytest.mark.parametrize("gpu", GPUS)
def test_a_large_picture_is_painted_within_what_its_plan_counts(gpu: str) -> None:
    """By shapes alone: CUDA's limits of resizes and of indexes hold, and so does the count of the bytes at once."""
    free, (height, width) = GPUS[gpu]
    how, level = PRESETS["fine"], Level(1.0, height, width, 32)
    plan = next(fitting(how, level, int(free)))
    with torch.no_grad(), Pretend(values=False) as pretend:
        vgg, c = VGG(load("embedded")[1], DEVICE), torch.empty(1, 3, height, width, device=DEVICE)
        x, A = torch.empty_like(c), by_level(vgg, c[..., :512, :512], how, len(level_weights(how, c.shape[2:])))
        before = pretend.held
        pretend.clear()
        evaluate = Objective(vgg, how, c, A, plan.side, plan.keep)
        optimizer = LBFGS(evaluate, x, plan.history) if plan.history else None
        (optimizer.step if optimizer else lambda: evaluate(x))()
        assert pretend.peak - before <= needed(plan, how, level)


def tiles_of(height: int, width: int, free: float) -> Iterator[int]:
    """The longest side of a tile in each plan that fits."""
    for plan in fitting(PRESETS["fine"], Level(1.0, height, width, 32), int(free)):
        yield plan.side or max(height, width)


def test_no_plan_makes_a_tensor_that_a_kernels_index_cannot_reach() -> None:
    """A whole picture of over 33.5 MP has more than 2³¹ features, however large the GPU is."""
    assert all((side + 64) ** 2 * 64 <= INT32 for side in tiles_of(5000, 7000, 1e12))
    assert next(tiles_of(4000, 6000, 1e12)) == 6000
