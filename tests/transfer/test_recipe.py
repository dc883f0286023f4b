import pickle
import subprocess
import sys
from dataclasses import replace

import pytest
from torchvision.models.vgg import cfgs, make_layers

from daemon.transfer.errors import RecipeError
from daemon.transfer.network.layers import LAYERS
from daemon.transfer.recipe import PRESETS, deepest_layer, recipe, require
from daemon.transfer.steps import Step, levels


def test_layers_are_named_in_torchvisions_order() -> None:
    kinds = {"Conv2d": "conv", "ReLU": "relu", "MaxPool2d": "pool"}
    features = make_layers(cfgs["E"], batch_norm=False)
    assert [name.rstrip("0123456789_") for name in LAYERS] == [kinds[type(layer).__name__] for layer in features]
    assert LAYERS[28] == "conv5_1"


def test_tutorial_is_the_seeds_recipe() -> None:
    tutorial = PRESETS["tutorial"]
    assert dict(tutorial.style_layers) == dict.fromkeys(("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"), 1)
    assert tutorial.content_layers == (("conv2_2", 1.0),)
    assert (tutorial.alpha, tutorial.beta, tutorial.tv, tutorial.pyramid) == (1.0, 1e6, 0.0, 1)
    assert (tutorial.pooling, tutorial.statistic, tutorial.start) == ("max", "gram", "content")
    assert sum(fraction**2 * evaluations for fraction, evaluations in tutorial.scales) == 300


def test_gatys_is_the_papers_recipe() -> None:
    gatys = PRESETS["gatys"]
    assert [name for name, _ in gatys.style_layers] == [f"relu{block}_1" for block in (1, 2, 3, 4, 5)]
    assert [name for name, _ in gatys.content_layers] == ["relu4_2"]
    assert gatys.pooling == "average"


def test_settings_change_the_preset_and_nothing_else() -> None:
    changed = recipe("draft", style_weight=2, seed=7, keep_colors="luminance")
    assert (changed.style_weight, changed.seed, changed.keep_colors) == (2, 7, "luminance")
    assert recipe("draft", style_weight=1.0) == PRESETS["draft"]


def test_every_wrong_setting_is_named_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        recipe("fine", style_weight=-1, start="sketch", seed=1.5, smoothness=float("nan"), style_scale=0, brush=1)
    for name in ("style_weight", "start", "seed", "smoothness", "style_scale", "brush: no such setting"):
        assert name in str(caught.value)
    with pytest.raises(RecipeError, match=r"style_layers: .*; content_layers: .*; scales: "):
        recipe("fine", style_layers={}, content_layers=3, scales=[])
    with pytest.raises(RecipeError, match="'finest' is not one of fine, tutorial, gatys, draft"):
        recipe("finest")


def test_weights_that_are_not_deep_enough_are_refused_with_the_way_out() -> None:
    require(recipe("tutorial"), "relu3_1")
    require(recipe("gatys"), "pool5")
    with pytest.raises(RecipeError, match=r"preset: gatys needs layer relu5_1.*end at relu3_1.*`styled weights`"):
        require(recipe("gatys"), "relu3_1")
    assert deepest_layer(recipe("fine")) == "relu3_1"


def test_layers_of_ones_own_that_are_too_deep_are_named_with_their_setting() -> None:
    with pytest.raises(RecipeError, match=r"^content_layers needs layer relu4_2.*or name layers in content_layers"):
        require(recipe("fine", content_layers={"relu4_2": 1}), "relu3_1")
    require(recipe("gatys", style_layers={"relu1_1": 1}, content_layers={"relu2_1": 1}), "relu3_1")
    with pytest.raises(RecipeError, match=r"^preset: gatys needs layer relu4_2"):
        require(recipe("gatys", style_layers={"relu1_1": 1}), "relu3_1")


def test_layers_and_scales_replace_those_of_the_preset() -> None:
    own = recipe("fine", style_layers={"relu1_1": 0.5, "conv3_1": 0}, content_layers=[["relu2_1", 1]], scales=[[1, 9]])
    assert own.style_layers == (("relu1_1", 0.5), ("conv3_1", 0))
    assert own.content_layers == (("relu2_1", 1),)
    assert [level.evaluations for level in levels(own, 2048, 2048)] == [9], "no doublings of the preset's"
    assert len(levels(recipe("fine"), 2048, 2048)) == 5
    own = recipe("draft", scales=((0.5, 40), (1.0, 100)))
    assert [level[1:4] for level in levels(own, 600, 800)] == [(300, 400, 40), (600, 800, 100)]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("style_layers", {"relu9_1": 1}, "'relu9_1' is no layer of VGG19; write conv or relu with 1_1"),
        ("style_layers", {"relu1_1": -1}, "-1 cannot be the weight of relu1_1; write a number from 0 to 1000000"),
        ("style_layers", {"relu1_1": float("nan")}, "nan cannot be the weight"),
        ("style_layers", {"relu1_1": 1e7}, "10000000.0 cannot be the weight"),
        ("content_layers", {"relu1_1": 0, "relu2_1": 0}, "every weight is 0"),
        ("content_layers", [["relu1_1", 1], ["relu1_1", 2]], "relu1_1 is there twice"),
        ("content_layers", ["relu1_1"], "write layers with their weights"),
        ("scales", [[0.5, 10]], "the last share is 0.5; end with the full size"),
        ("scales", [[0.5, 10], [0.5, 10], [1, 10]], "the share 0.5 follows 0.5"),
        ("scales", [[0, 10], [1, 10]], "0 cannot be a share"),
        ("scales", [[1, 0.5]], "0.5 cannot be the evaluations at the share 1"),
        ("scales", [[1, 10_001]], "10001 cannot be the evaluations"),
        ("scales", [[0.01 * n, 1] for n in range(1, 52)], "write shares of the size"),
        ("scales", 100, "write shares of the size with their evaluations"),
    ],
)
def test_wrong_layers_and_scales_are_told_in_plain_words(field: str, value: object, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe("fine", **{field: value})
    assert f"{field}: {said}" in str(caught.value)


@pytest.mark.parametrize("preset", PRESETS)
def test_levels_go_from_coarse_to_the_full_size(preset: str) -> None:
    plan = levels(PRESETS[preset], 300, 401)
    assert plan[-1][:3] == (1.0, 300, 401)
    fractions = [fraction for fraction, _ in PRESETS[preset].scales]
    fractions = ([*fractions, 1.0] if PRESETS[preset].eased else fractions)[-len(plan) :]
    assert [(level.height, level.width) for level in plan] == [(round(300 * f), round(401 * f)) for f in fractions]
    assert [level.width for level in plan] == sorted(level.width for level in plan)


def test_a_scale_too_small_is_left_out_and_its_work_goes_to_the_full_size() -> None:
    (only,) = levels(replace(PRESETS["tutorial"], scales=((0.5, 40), (1.0, 290)), eased=0.0), 16, 4000)
    assert (only.height, only.width, only.evaluations) == (16, 4000, 300)


def test_style_pictures_keep_their_proportion_to_the_painting_until_they_grow_too_large() -> None:
    fine = PRESETS["fine"]
    assert [fine.style_side(side) for side in (100, 512, 2048)] == [120, 614, 2458]
    assert [fine.style_side(side) for side in (6000, 6144, 9000)] == [6144, 6144, 9000], "never below the painting's"
    assert replace(fine, style_scale=0.5).style_side(512) == 307
    assert PRESETS["tutorial"].style_side(512) == 512
    assert replace(fine, style_scale=1e-9).style_side(512) == 1


def test_an_eased_loss_takes_its_share_of_the_full_sizes_evaluations() -> None:
    first, last = levels(PRESETS["tutorial"], 30, 40)
    assert (first.eased, first.evaluations, first.height) == (True, 60, 30)
    assert (last.eased, last.evaluations, last.height) == (False, 240, 30)


def test_the_daemon_reads_recipes_weights_and_steps_without_torch() -> None:
    step = pickle.dumps(Step(1, 2, 0.5, 1, 1))
    code = (
        "import pickle, sys, daemon.transfer, daemon.transfer.recipe, daemon.transfer.network.weights as w\n"
        f"assert pickle.loads({step!r}).loss == 0.5\n"
        "assert w.describe('embedded').deepest == 'relu3_1'\n"
        "assert not {'torch', 'numpy', 'torchvision', 'safetensors'} & set(sys.modules), sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("style_weight", -1), ("content_weight", float("nan")), ("seed", 1.5), ("start", "sketch")),
        *(("keep_colors", True), ("style_scale", 0), ("smoothness", "1"), ("pooling", "min"), ("border", "mirror")),
        *(
            ("statistic", "mean"),
            ("alpha", -1.0),
            ("beta", float("inf")),
            ("tv", None),
            ("history", -1),
            ("style_size", 0),
        ),
        *(("style_layers", ()), ("style_layers", ((9, 1.0),)), ("content_layers", "relu2_1")),
        *(("content_layers", (("relu2_1", -1.0),)), ("scales", ()), ("scales", ((2.0, 10),)), ("scales", ((1.0, 0),))),
        *(("pyramid", 0), ("margin", -8)),
    ],
)
def test_no_recipe_that_cannot_be_can_be_made(field: str, value: object) -> None:
    with pytest.raises(RecipeError, match=f"^{field}: "):
        replace(PRESETS["fine"], **{field: value})  # type: ignore[arg-type]


def test_a_recipe_names_all_that_is_wrong_with_it() -> None:
    with pytest.raises(RecipeError, match=r"seed: .*; alpha: "):
        replace(PRESETS["fine"], seed=-1, alpha=-1.0)
