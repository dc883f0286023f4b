"""The training of the embedded weights: what is learnt from, by what, and that one seed gives one file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torchvision.models import vgg19

from daemon.studio import lessons, textures, train
from daemon.studio.lessons import PHOTOGRAPHS, drawn, lesson, photographed
from daemon.studio.train import Course, Pupil, contrast, rate
from daemon.transfer.network.vgg import VGG

pytestmark = pytest.mark.slow


def pool(count: int = 12) -> lessons.Pool:
    rng = np.random.default_rng(3)
    return np.stack([drawn(rng) for _ in range(count)])


@pytest.mark.parametrize("draw", [draw for draw, _ in textures.KINDS], ids=lambda draw: draw.__name__)
def test_a_kind_of_texture_is_the_same_from_one_seed_and_never_the_same_from_two(draw: object) -> None:
    assert callable(draw)
    one, same, other = (np.clip(draw(np.random.default_rng(seed)), 0, 1) for seed in (5, 5, 6))
    assert one.shape == (textures.SIDE, textures.SIDE, 3)
    assert np.array_equal(one, same)
    assert np.abs(one - other).mean() > 0.01
    assert one.std((0, 1)).max() > 0.01


def test_photographs_are_those_that_are_named() -> None:
    regions = photographed(np.random.default_rng(0))
    assert regions.shape == (len(PHOTOGRAPHS) * lessons.REGIONS, textures.SIDE, textures.SIDE, 3)
    assert regions.std((1, 2, 3)).min() > 0


def test_a_lesson_comes_in_fours_whose_halves_differ() -> None:
    crops = lesson(pool(), 8, np.random.default_rng(1))
    assert crops.shape == (32, 3, lessons.CROP, lessons.CROP)
    assert crops.isfinite().all()
    assert -0.1 <= crops.min() < crops.max() <= 1.1


@pytest.mark.parametrize("miss", [miss for miss in lessons.NEAR_MISSES if miss], ids=lambda miss: miss.__name__)
def test_a_near_miss_is_a_picture_like_the_first_but_not_the_same(miss: lessons.NearMiss) -> None:
    x = torch.rand(2, 3, lessons.CROP, lessons.CROP, generator=torch.Generator().manual_seed(0))
    missed = miss(x, np.random.default_rng(0), torch.Generator().manual_seed(0))
    assert missed.shape == x.shape
    assert (missed - x).abs().mean() > 0.02
    assert torch.allclose(missed.mean((2, 3)), x.mean((2, 3)), atol=0.05)


def test_the_loss_is_low_where_mates_are_alike_and_others_are_not() -> None:
    own = torch.eye(8).repeat_interleave(2, 0)
    low, found = contrast(own)
    high, lost = contrast(torch.roll(own, 1, 0))
    assert (float(found), float(lost)) == (1.0, 0.0)
    assert low < 0.01 < high


def test_the_rate_rises_then_falls_to_nothing() -> None:
    rates = [rate(step, 100) for step in range(100)]
    assert rates.index(max(rates)) == 5
    assert rates[-1] < 0.01 < rates[0] < max(rates) <= 1


def test_folded_weights_say_what_the_pupil_says_and_torchvision_takes_them() -> None:
    """In float16, hence the tolerance; away from the border, where batch norms and padding do not commute."""
    torch.manual_seed(0)
    pupil = Pupil("relu3_1")
    for norm in pupil.norms.values():
        norm.running_mean, norm.running_var = torch.randn(norm.num_features) / 5, 0.5 + torch.rand(norm.num_features)
    tensors = {name: tensor.float() for name, tensor in pupil.folded().items()}
    missing = vgg19().features.load_state_dict({name[9:]: tensor for name, tensor in tensors.items()}, strict=False)
    assert not missing.unexpected_keys
    course = Course(pool(), "relu3_1", 1, 4, 0, "cpu")
    x = torch.rand(1, 3, 32, 32)
    theirs = VGG(tensors, torch.device("cpu")).features(x, ["relu3_1"], "average")["relu3_1"]
    y = (x - course.mean) / course.std
    with torch.no_grad():
        for name in pupil.names:
            if name.startswith("conv"):
                y = pupil.norms[name].eval()(pupil.convolutions[name](y))
            else:
                y = torch.relu(y) if name.startswith("relu") else torch.nn.functional.avg_pool2d(y, 2)
    middle = np.s_[..., 3:-3, 3:-3]
    assert torch.allclose(theirs[middle], y[middle], rtol=0.02, atol=0.02 * float(y.std()))


def test_a_course_learns_and_two_from_one_seed_agree_to_the_bit() -> None:
    def run(seed: int) -> tuple[list[float], dict[str, torch.Tensor]]:
        course = Course(pool(), "relu1_2", 8, 6, seed, "cpu")
        return [loss for loss, _ in course.learn()], course.weights()

    losses, one = run(1)
    again, same = run(1)
    _, other = run(2)
    assert losses == again
    assert min(losses[-3:]) < losses[0]
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one)


def test_the_command_writes_one_file_from_one_seed(tmp_path: Path) -> None:
    options = ["--steps", "1", "--textures", "4", "--instances", "3", "--deepest", "relu1_2", "--threads"]
    options.append(str(torch.get_num_threads()))
    for name in ("one", "two"):
        assert train.main([*options, "--out", str(tmp_path / name)]) == 0
    torch.use_deterministic_algorithms(False)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert load_file(tmp_path / "one")["features.0.weight"].dtype == torch.float16
