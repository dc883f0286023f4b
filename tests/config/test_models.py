"""The settings: their defaults, what each may be, and which place wins."""

import pickle
from pathlib import Path

import pytest

from daemon.config.load import load, load_sidecar
from daemon.config.models import Output
from daemon.transfer.recipe import PRESETS
from tests.support.configs import STYLES, problems, write


def test_one_style_is_enough_and_all_else_has_its_default(folder: Path) -> None:
    config = load(write(folder, STYLES))
    assert config.root == folder
    assert config.default_style == "night"
    assert (config.originals, config.settle_seconds, config.device, config.weights) == ("keep", 2.0, "auto", "auto")
    assert (config.threads, config.thread_count, config.max_megapixels) == ("auto", None, 200)
    assert config.output == Output(format="keep", quality=95, location=False)
    assert [picture.file for picture in config.styles["night"].all_pictures] == [folder / "night.jpg"]


def test_everything_can_be_set(folder: Path) -> None:
    (folder / "vgg.pth").write_bytes(b"weights")
    text = """
root: pictures/../here
default_style: both
originals: delete
settle_seconds: 0.5
device: cuda:1
threads: 4
weights: vgg.pth
max_megapixels: 40.5
output: {format: webp, quality: 80, location: yes}
recipe: {preset: gatys, size: 768, style_weight: 2, content_weight: .5, smoothness: 0, style_scale: 1.5,
         seed: 7, start: noise, keep_colors: statistics}
styles:
  both:
    pictures: [{file: night.jpg, weight: 2}, {file: day.png}]
    size: original
"""
    config = load(write(folder, text))
    assert config.root == folder / "here"
    assert config.weights == str(folder / "vgg.pth")
    assert (config.device, config.thread_count, config.max_megapixels) == ("cuda:1", 4, 40.5)
    assert config.output == Output(format="webp", quality=80, location=True)
    blend = [(picture.file, picture.weight) for picture in config.styles["both"].all_pictures]
    assert blend == [(folder / "night.jpg", 2.0), (folder / "day.png", 1.0)]
    made = config.settings("both")
    assert (made.recipe.preset, made.size) == ("gatys", "original")
    assert (made.recipe.style_weight, made.recipe.content_weight, made.recipe.smoothness) == (2.0, 0.5, 0.0)
    assert (made.recipe.style_scale, made.recipe.seed) == (1.5, 7)
    assert (made.recipe.start, made.recipe.keep_colors) == ("noise", "statistics")


@pytest.mark.parametrize(
    ("text", "page", "title"),
    [
        ("", True, "Paintings"),
        ("gallery: yes", True, "Paintings"),
        ("gallery: no", False, "Paintings"),
        ("gallery: {title: Studio Kamo}", True, "Studio Kamo"),
        ("gallery: {page: no}", False, "Paintings"),
    ],
)
def test_the_gallery_is_a_yes_or_a_no_or_has_a_title(folder: Path, text: str, page: bool, title: str) -> None:
    config = load(write(folder, f"{STYLES}{text}\n"))
    assert (config.gallery.page, config.gallery.title) == (page, title)


def test_what_the_gallery_cannot_be_is_said(folder: Path) -> None:
    (only,) = problems(folder, f"{STYLES}gallery: maybe\n")
    assert only.endswith("gallery.page: 'maybe' cannot be used; write yes or no")
    (only,) = problems(folder, f"{STYLES}gallery: {{titel: x}}\n")
    assert "gallery.titel: unknown setting; did you mean title?" in only
    (only,) = problems(folder, f"{STYLES}title: x\n")
    assert "did you mean gallery.title?" in only


@pytest.mark.parametrize("word", ["no", "No", "'no'"])
def test_keep_colors_no_is_a_word_and_no_boolean(folder: Path, word: str) -> None:
    text = f"{STYLES}recipe: {{keep_colors: {word}}}"
    if word == "No":
        assert problems(folder, text) == ["recipe.keep_colors: 'No' cannot be used; write no, luminance or statistics"]
    else:
        assert load(write(folder, text)).settings("night").recipe.keep_colors == "no"


@pytest.mark.parametrize(
    ("written", "is_kept"), [("yes", True), ("on", True), ("true", True), ("no", False), ("off", False)]
)
def test_yes_and_no_have_many_spellings(folder: Path, written: str, is_kept: bool) -> None:
    assert load(write(folder, f"{STYLES}output: {{location: {written}}}")).output.location is is_kept


@pytest.mark.parametrize("written", ["512", "'512'", "0512", "512.0"])
def test_numbers_are_what_they_look_like(folder: Path, written: str) -> None:
    """Quoted, or with the 0 in front that YAML 1.1 takes for octal."""
    assert load(write(folder, f"{STYLES}recipe: {{size: {written}}}")).recipe.size == 512


def test_the_narrowest_place_wins(folder: Path) -> None:
    text = """
recipe: {preset: draft, size: 256, seed: 1, style_weight: 3}
styles: {night: {picture: night.jpg, size: 128, style_weight: 1}, day: {picture: day.png, preset: tutorial}}
"""
    config = load(write(folder, text))
    night = config.settings("night", load_sidecar(b"seed: 9\n", "a.jpg.yaml", ()))
    assert (night.recipe.preset, night.size, night.recipe.seed, night.recipe.style_weight) == ("draft", 128, 9, 1.0)
    day = config.settings("day")
    assert (day.recipe.preset, day.size, day.recipe.seed, day.recipe.style_weight) == ("tutorial", 256, 1, 3.0)
    assert day.recipe.beta == PRESETS["tutorial"].beta


def test_layers_and_scales_can_be_set_for_all_for_a_style_and_for_a_photo(folder: Path) -> None:
    text = """
recipe: {style_layers: {relu1_1: .5, relu3_1: 0.50}, content_layers: {relu2_1: 1}, scales: [[0.5, 40], [1, 100]]}
styles: {night: {picture: night.jpg}, day: {picture: day.png, style_layers: {conv2_2: 2}, scales: [[1, 7]]}}
"""
    config = load(write(folder, text))
    night, day = config.settings("night").recipe, config.settings("day").recipe
    assert night.style_layers == (("relu1_1", 0.5), ("relu3_1", 0.5))
    assert night.scales == ((0.5, 40), (1.0, 100))
    assert (day.style_layers, day.content_layers) == ((("conv2_2", 2.0),), (("relu2_1", 1.0),))
    assert (day.scales, day.finer) == (((1.0, 7),), ())
    photo = config.settings("day", load_sidecar(b"content_layers: {relu3_1: 1}\n", "a.jpg.yaml", ())).recipe
    assert (photo.style_layers, photo.content_layers) == (day.style_layers, (("relu3_1", 1.0),))


def test_a_configuration_cannot_be_changed_and_can_be_pickled(folder: Path) -> None:
    config = load(write(folder, STYLES))
    with pytest.raises(ValueError, match="frozen"):
        config.root = Path("/")
    assert pickle.loads(pickle.dumps(config)) == config
    assert hash(config.settings("night")) == hash(config.settings("night"))


REFUSED = {
    "root: ''": "root: '' cannot be used; write the path of a folder",
    "root: [a]": "root: a list cannot be used; write the path of a folder",
    "default_style: [a]": "default_style: a list cannot be used; write the name of a style",
    "default_style: nihgt": "default_style: there is no style 'nihgt'; did you mean night?",
    "default_style: xyz": "default_style: there is no style 'xyz'; write night",
    "originals: move": "originals: 'move' cannot be used; write keep or delete",
    "settle_seconds: 0": "settle_seconds: '0' cannot be used; write seconds, from 0.1 to 3600",
    "settle_seconds: .nan": "settle_seconds: '.nan' cannot be used; write seconds, from 0.1 to 3600",
    "settle_seconds: nan": "settle_seconds: 'nan' cannot be used; write seconds, from 0.1 to 3600",
    "device: gpu": "device: 'gpu' cannot be used; write auto, all, cpu, cuda, cuda:1 (with the device's number) or mps",
    "threads: 0": "threads: '0' cannot be used; write auto, or a whole number from 1 to 1024",
    "max_megapixels: lots": ("max_megapixels: 'lots' cannot be used; write millions of pixels, from 0.01 to 100000"),
    "output: {format: jpg}": "output.format: 'jpg' cannot be used; write keep, png, jpeg or webp",
    "output: {quality: 9.5}": "output.quality: '9.5' cannot be used; write a whole number from 1 to 100",
    "output: {location: maybe}": "output.location: 'maybe' cannot be used; write yes or no",
    "output: png": "output: 'png' is not a group of settings; write name: value for each of its settings",
    "recipe: {preset: finest}": ("recipe.preset: 'finest' cannot be used; write fine, tutorial, gatys or draft"),
    "recipe: {size: 15}": (
        "recipe.size: '15' cannot be used; write auto, original, the long side in pixels from 16 to "
        "100000, or a print such as 30x20cm@300dpi"
    ),
    "recipe: {style_weight: -1}": (
        "recipe.style_weight: '-1' cannot be used; write a number from 0 to 1000000; 1 is the preset's own balance"
    ),
    "recipe: {style_scale: 0}": (
        "recipe.style_scale: '0' cannot be used; write a number from 0.05 to 20; 1 is the picture's own scale"
    ),
    "recipe: {seed: -1}": ("recipe.seed: '-1' cannot be used; write a whole number from 0 to 9223372036854775807"),
    "recipe: {start: photo}": "recipe.start: 'photo' cannot be used; write content, noise or style",
    "recipe: {keep_colors: true}": ("recipe.keep_colors: 'true' cannot be used; write no, luminance or statistics"),
    "recipe: {style_layers: {relu9_1: 1}}": (
        "recipe.style_layers: 'relu9_1' is no layer of VGG19; write conv or relu with 1_1, 1_2, 2_1, 2_2, 3_1 to 3_4, "
        "4_1 to 4_4 or 5_1 to 5_4, or pool1 to pool5"
    ),
    "recipe: {content_layers: {relu1_1: much}}": (
        "recipe.content_layers: 'much' cannot be the weight of relu1_1; write a number from 0 to 1000000"
    ),
    "recipe: {content_layers: {relu1_1: }}": (
        "recipe.content_layers: nothing cannot be the weight of relu1_1; write a number from 0 to 1000000"
    ),
    "recipe: {content_layers: relu1_1}": (
        "recipe.content_layers: write layers with their weights, such as {relu1_1: 0.5, relu3_1: 0.5}"
    ),
    "recipe: {scales: [[0.5, 40]]}": "recipe.scales: the last share is 0.5; end with the full size, such as [1, 100]",
    "recipe: {scales: [[1, 2.5]]}": (
        "recipe.scales: 2.5 cannot be the evaluations at the share 1; write a whole number from 1 to 10000"
    ),
    "recipe: {styleweight: 2}": "recipe.styleweight: unknown setting; did you mean style_weight?",
    "output: {jpeg: 2}": "output.jpeg: unknown setting; known here are format, quality, film and location",
    "Recipe: {}": "Recipe: unknown setting; did you mean recipe?",
    "size: 512": "size: unknown setting; did you mean recipe.size?",
    "quality: 90": "quality: unknown setting; did you mean output.quality?",
    "originals: keep\noriginals: delete": "originals: is set twice, in lines 2 and 3; keep one",
    "output: {quality: 1, quality: 1}": "output.quality: is set twice, in lines 2 and 2; keep one",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_wrong_setting_is_refused_with_what_would_be_right(folder: Path, text: str) -> None:
    assert problems(folder, STYLES + text) == [REFUSED[text]]
