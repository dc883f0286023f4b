from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file
from torch import Tensor

from daemon.transfer import DeviceError, RecipeError, Stylizer, colors, targets
from daemon.transfer.network.layers import LAYERS
from daemon.transfer.network.own import Extractor
from daemon.transfer.recipe import PRESETS, Recipe, Start, recipe
from daemon.transfer.steps import Step
from daemon.transfer.style_loss import Statistics
from tests.support.objectives import random_weights
from tests.support.scenes import Picture, scene

BRIEF = replace(PRESETS["fine"], scales=((0.5, 2), (1.0, 3)))


def tinted(picture: Picture, *rgb: float) -> Picture:
    return picture * np.array(rgb, dtype=np.float32)


def healthy(painting: Picture, content: Picture) -> bool:
    """A finite float32 picture in [0, 1] of the content's shape."""
    assert painting.shape == content.shape
    assert painting.dtype == np.float32
    assert np.isfinite(painting).all()
    return bool(painting.min() >= 0 and painting.max() <= 1)


@pytest.fixture
def threads(stylizer: Stylizer) -> Iterator[int]:
    before = stylizer.threads
    yield before
    stylizer.threads = before


def test_a_painting_takes_the_styles_look_and_keeps_the_content(stylizer: Stylizer) -> None:
    """The loss falls at each scale, far; the painting is neither picture, and nearer the style's colours."""
    content, style = scene(36, 48, 1), tinted(scene(30, 54, 2), 1.0, 0.5, 0.2)
    steps: list[Step] = []
    painting = stylizer.paint(content, style, recipe("fine"), steps.append)
    assert healthy(painting, content)
    for scale in {step.scale for step in steps}:
        losses = [step.loss for step in steps if step.scale == scale]
        assert losses[-1] < 0.5 * losses[0]
        assert losses == sorted(losses, reverse=True)

    def colour_distance(picture: Picture) -> float:
        return float(np.abs(picture.mean((0, 1)) - style.mean((0, 1))).max())

    assert colour_distance(painting) < 0.5 * colour_distance(content)
    assert np.corrcoef(painting.mean(2).ravel(), content.mean(2).ravel())[0, 1] > 0.3


def test_a_black_and_white_style_paints_in_its_own_tint_and_nothing_else(stylizer: Stylizer) -> None:
    share = (scene(64, 64, 2) @ colors.LUMA)[..., None]
    style = (share * np.array([1.0, 0.95, 0.85]) + (1 - share) * np.array([0.05, 0.05, 0.1])).astype(np.float32)
    painting = stylizer.paint(scene(64, 64, 1), style, BRIEF)
    tint = colors.tint([(style, 1.0)], 0.01)
    assert tint is not None
    on = tint.on((painting @ colors.LUMA)[..., None])
    inside = (on > 0).all(2) & (on < 1).all(2)
    assert np.abs(painting - on)[inside].max() < 5e-3
    kept = stylizer.paint(scene(64, 64, 1), style, replace(BRIEF, keep_colors="luminance"))
    assert np.abs(kept - tint.on((kept @ colors.LUMA)[..., None])).max() > 0.1, "the photo's own colours"


@pytest.mark.parametrize("preset", ["fine", "tutorial", "draft"])
def test_steps_count_every_evaluation_up_to_the_last(stylizer: Stylizer, preset: str) -> None:
    short = replace(PRESETS[preset], scales=((0.5, 3), (1.0, 5)))
    scales = [1] * 3 + ([2] + [3] * 4 if short.eased else [2] * 5)
    steps: list[Step] = []
    stylizer.paint(scene(70, 64, 1), scene(40, 40, 2), short, steps.append)
    assert [step.step for step in steps] == list(range(1, 9))
    assert {(step.steps, step.scales) for step in steps} == {(8, scales[-1])}
    assert [step.scale for step in steps] == scales
    done = [step.done for step in steps]
    assert done == sorted(done)
    assert done[-1] == 1


def test_what_on_step_raises_ends_the_painting(stylizer: Stylizer) -> None:
    class Enough(Exception):
        pass

    def stop(step: Step) -> None:
        if step.step == 2:
            raise Enough

    with pytest.raises(Enough):
        stylizer.paint(scene(32, 32), scene(32, 32, 1), BRIEF, stop)


def test_stops_when_the_picture_has_stopped_changing_and_says_so(
    stylizer: Stylizer, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is left to do where photo and style are one and the same grey; the last step is still the last."""
    grey, steps = np.full((24, 24, 3), 0.5, np.float32), list[Step]()
    with caplog.at_level("INFO", "styled"):
        stylizer.paint(grey, grey, replace(PRESETS["fine"], scales=((1.0, 200),), grain=0.0), steps.append)
    assert "stopped changing after" in caplog.text
    assert len(steps) < 120
    assert (steps[-1].step, steps[-1].done) == (200, 1)


def test_the_same_input_gives_the_same_bits(stylizer: Stylizer) -> None:
    content, style = scene(40, 48, 1), scene(40, 40, 2)
    noisy = replace(BRIEF, start="noise", seed=3)
    first = stylizer.paint(content, style, noisy)
    assert np.array_equal(first, stylizer.paint(content, style, noisy))
    assert np.array_equal(first, Stylizer(device="cpu", weights="embedded").paint(content, style, noisy))
    assert not np.array_equal(first, stylizer.paint(content, style, replace(noisy, seed=4)))


@pytest.mark.parametrize("start", ["noise", "style"])
def test_starts_from_something_else_than_the_content(stylizer: Stylizer, start: Start) -> None:
    content = scene(40, 48, 1)
    painting = stylizer.paint(content, scene(33, 60, 2), replace(BRIEF, start=start))
    assert healthy(painting, content)
    assert not np.array_equal(painting, stylizer.paint(content, scene(33, 60, 2), BRIEF))


def test_the_tutorial_starts_in_the_styles_spectrum_unless_it_starts_elsewhere(stylizer: Stylizer) -> None:
    """Its first loss is far below the photograph's own; a start from noise is that noise."""
    content, style = 0.5 + 0.3 * (scene(48, 64, 1) - 0.5), tinted(scene(48, 64, 2), 1.0, 0.6, 0.3)
    short = replace(PRESETS["tutorial"], scales=((1.0, 1),))
    first = {}
    for how in (short, replace(short, matched=False), replace(short, start="noise")):
        steps: list[Step] = []
        painting = stylizer.paint(content, style, how, steps.append)
        first[how.matched, how.start] = steps[0].loss
    assert first[True, "content"] < 0.5 * first[False, "content"]
    assert np.array_equal(painting, stylizer.paint(content, style, replace(short, start="noise", matched=False)))


def test_a_style_is_hashed_once_for_all_scales_of_a_painting(
    stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed, digest = list[Picture](), targets._digest

    def noted(picture: Picture) -> bytes:
        hashed.append(picture)
        return digest(picture)

    monkeypatch.setattr(targets, "_digest", noted)
    steps: list[Step] = []
    stylizer.paint(scene(64, 64, 1), [(scene(40, 40, 2), 1.0), (scene(40, 40, 3), 1.0)], BRIEF, steps.append)
    assert steps[-1].scales == 2
    assert len(hashed) == 2


def test_a_second_painting_recomputes_no_style_target_and_a_changed_style_does(
    stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[Recipe] = []
    by_level = targets.by_level

    def noted(vgg: Extractor, s: Tensor, recipe: Recipe, *how: int | None) -> list[Statistics]:
        computed.append(recipe)
        return by_level(vgg, s, recipe, *how)  # type: ignore[arg-type]

    monkeypatch.setattr(targets, "by_level", noted)
    content, style = scene(48, 48, 1), scene(40, 48, 2)
    stylizer.paint(content, style, BRIEF)
    before = len(computed)
    stylizer.paint(scene(48, 48, 5), style.copy(), replace(BRIEF, style_weight=3.0, seed=1))
    assert len(computed) == before
    changed = style.copy()
    changed[5, 5, 0] += 0.25
    stylizer.paint(content, changed, BRIEF)
    assert len(computed) == before + 2  # one for each scale
    stylizer.paint(content, style, replace(BRIEF, pooling="average"))
    assert len(computed) == before + 4


@pytest.mark.slow
def test_style_pictures_blend_by_their_weights(stylizer: Stylizer) -> None:
    """A picture with itself changes nothing, nor does one of weight 0; with another one it is in between."""
    content, red, blue = scene(32, 32, 1), tinted(scene(32, 40, 2), 1, 0.2, 0.2), tinted(scene(40, 32, 3), 0.2, 0.2, 1)
    longer = replace(BRIEF, scales=((1.0, 15),))
    alone = stylizer.paint(content, red, longer)
    assert np.allclose(alone, stylizer.paint(content, [(red, 1), (red, 3)], longer), atol=1e-2)
    assert np.array_equal(alone, stylizer.paint(content, [(red, 2), (blue, 0)], longer))
    other = stylizer.paint(content, blue, longer)
    mixed = stylizer.paint(content, [(red, 1), (blue, 1)], longer)
    balance = [float(np.mean(p[..., 0] - p[..., 2])) for p in (alone, mixed, other)]
    assert balance[0] > balance[1] + 0.05 > balance[2] + 0.1


@pytest.mark.parametrize("preset", ["fine", "tutorial", "draft"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (16, 16), (90, 2)])
def test_the_smallest_and_narrowest_pictures_are_painted(
    stylizer: Stylizer, preset: str, shape: tuple[int, int]
) -> None:
    short = replace(PRESETS[preset], scales=((0.5, 2), (1.0, 3)))
    content = scene(*shape, seed=1)
    assert healthy(stylizer.paint(content, scene(24, 30, 2), short), content)
    assert healthy(stylizer.paint(scene(24, 30, 2), content, short), scene(24, 30, 2))


@pytest.mark.parametrize("preset", ["fine", "tutorial"])
@pytest.mark.parametrize("value", [0.0, 0.35, 1.0])
def test_pictures_of_one_colour_give_no_nan(stylizer: Stylizer, preset: str, value: float) -> None:
    short = replace(PRESETS[preset], scales=((1.0, 5),))
    flat, picture = np.full((24, 24, 3), value, np.float32), scene(24, 28)
    steps: list[Step] = []
    assert healthy(stylizer.paint(flat, picture, short, steps.append), flat)
    assert healthy(stylizer.paint(picture, flat, short, steps.append), picture)
    assert healthy(stylizer.paint(flat, flat, short, steps.append), flat)
    assert np.isfinite([step.loss for step in steps]).all()


def test_keep_colors_luminance_keeps_the_photos_hues(stylizer: Stylizer) -> None:
    grey = np.repeat(scene(32, 32, 1)[..., :1], 3, axis=2)
    painting = stylizer.paint(grey, scene(32, 32, 2), replace(BRIEF, keep_colors="luminance"))
    assert healthy(painting, grey)
    assert np.ptp(painting, axis=2).max() < 1e-4


def test_keep_colors_statistics_keeps_the_photos_mean(stylizer: Stylizer) -> None:
    content, style = tinted(scene(32, 32, 1), 0.3, 0.9, 0.3), tinted(scene(32, 32, 2), 0.9, 0.1, 0.5)
    longer = replace(BRIEF, scales=((1.0, 20),))
    far, near = (
        np.abs(stylizer.paint(content, style, how).mean((0, 1)) - content.mean((0, 1)))
        for how in (longer, replace(longer, keep_colors="statistics"))
    )
    assert near.max() < 0.4 * far.max()


def test_a_preset_too_deep_for_the_weights_is_refused_before_anything_is_painted(stylizer: Stylizer) -> None:
    with pytest.raises(RecipeError, match="needs layer relu5_1"):
        stylizer.paint(scene(32, 32), scene(32, 32), recipe("gatys"))


def test_gatys_paints_with_deep_weights(tmp_path: Path) -> None:
    save_file(random_weights(LAYERS.index("conv5_2")), tmp_path / "deep.safetensors")
    deep = Stylizer(device="cpu", weights=tmp_path / "deep.safetensors")
    assert (deep.weights.kind, deep.weights.deepest) == ("file", "relu5_1")
    short: Recipe = replace(PRESETS["gatys"], scales=((0.5, 2), (1.0, 3)))
    steps: list[Step] = []
    content = scene(10, 40, 1)
    assert healthy(deep.paint(content, scene(20, 16, 2), short, steps.append), content)
    assert steps[-1].loss < steps[0].loss


def test_threads_can_be_changed_while_it_lives(stylizer: Stylizer, threads: int) -> None:
    stylizer.threads = threads + 1
    assert stylizer.threads == threads + 1
    short = replace(BRIEF, scales=((1.0, 1),))
    assert healthy(stylizer.paint(scene(16, 16), scene(16, 16, 1), short), scene(16, 16))


def test_says_where_it_paints() -> None:
    here = Stylizer(device="cpu")
    assert here.device == "cpu"
    assert here.device_name
    with pytest.raises(DeviceError, match=r"device: cuda:99 is not on this machine, which has .*cpu"):
        Stylizer(device="cuda:99")


@pytest.mark.parametrize("broken", [np.zeros((4,), np.float32), np.zeros((4, 4, 5), np.float32), np.zeros((0, 4, 3))])
def test_what_is_no_picture_is_refused(stylizer: Stylizer, broken: Picture) -> None:
    with pytest.raises(ValueError, match="is not a picture"):
        stylizer.paint(broken, scene(8, 8), BRIEF)
    with pytest.raises(ValueError, match="is not a picture"):
        stylizer.paint(scene(8, 8), broken, BRIEF)


def test_style_weights_that_add_up_to_nothing_are_refused(stylizer: Stylizer) -> None:
    for weights in ([0.0], [-1.0], [float("nan")], []):
        with pytest.raises(ValueError, match="style: the weights"):
            stylizer.paint(scene(8, 8), [(scene(8, 8), weight) for weight in weights], BRIEF)


@pytest.mark.parametrize("preset", ["fine", "draft"])
def test_strokes_in_a_flat_area_follow_the_seed(stylizer: Stylizer, preset: str) -> None:
    """As in a blown-out sky: without grain the strokes there are rows of equal dots, whatever the seed."""
    photo = scene(32, 40)
    photo[:, :28] = 1.0
    short = replace(PRESETS[preset], scales=((0.5, 15), (1.0, 15)))
    first, second = (stylizer.paint(photo, scene(32, 40, seed=1), replace(short, seed=seed)) for seed in (0, 1))
    assert np.abs(first - second)[6:-6, 6:22].mean() > 0.04
