"""config.yaml: what is accepted, and the full words for all that is not."""

import contextlib
import os
import pickle
import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.config import models as module
from daemon.config.changes import describe_changes
from daemon.config.load import builtin_picture, find, load, load_sidecar, settings_from
from daemon.config.models import Config, Defaults, Output, RecipeSettings
from daemon.errors import ConfigError, JobError
from daemon.transfer.recipe import PRESETS

SHIPPED = Path(__file__).parents[2] / "config.yaml"
STYLES = "styles: {night: {picture: night.jpg}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two style pictures; what is inside them is looked at elsewhere."""
    (tmp_path / "night.jpg").write_bytes(b"a picture")
    (tmp_path / "day.png").write_bytes(b"another")
    return tmp_path


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "config.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def problems(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(write(folder, text))
    return list(caught.value.problems)


# --- what is accepted


def test_one_style_is_enough_and_all_else_has_its_default(folder: Path) -> None:
    config = load(write(folder, STYLES))
    assert config.root == folder
    assert config.default_style == "night"
    assert (config.originals, config.settle_seconds, config.device, config.weights) == ("keep", 2.0, "auto", "auto")
    assert (config.threads, config.thread_count, config.max_megapixels) == ("auto", None, 200)
    assert config.output == Output(format="keep", quality=95, location=False)
    assert [picture.file for picture in config.styles["night"].all_pictures] == [folder / "night.jpg"]


def test_the_line_that_a_missing_file_asks_for_is_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "config.yaml")
    [problem] = caught.value.problems
    start = f"{tmp_path}/config.yaml: there is no such file; name yours with --config FILE, or make it with this line: "
    assert problem.startswith(start)
    assert load(write(tmp_path, problem.removeprefix(start))).default_style == "starry"


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
    assert (made.preset, made.size) == ("gatys", "original")
    assert (made.recipe.style_weight, made.recipe.content_weight, made.recipe.smoothness) == (2.0, 0.5, 0.0)
    assert (made.recipe.style_scale, made.recipe.seed) == (1.5, 7)
    assert (made.recipe.start, made.recipe.keep_colors) == ("noise", "statistics")


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


@pytest.mark.parametrize("name", ["1889", "on", "yes", "null", "0x1F", "1_000", "ночь", "night scream", "👩‍🎨"])
def test_a_style_is_called_what_is_written(folder: Path, name: str) -> None:
    config = load(write(folder, f"default_style: {name}\nstyles: {{{name}: {{picture: night.jpg}}}}"))
    if name == "null":  # nothing, as a value; the first style is meant all the same
        assert config.default_style == "null"
    assert list(config.styles) == [config.default_style] == [name]


@pytest.mark.parametrize("written", ["512", "'512'", "0512", "512.0"])
def test_numbers_are_what_they_look_like(folder: Path, written: str) -> None:
    """Quoted, or with the 0 in front that YAML 1.1 takes for octal."""
    assert load(write(folder, f"{STYLES}recipe: {{size: {written}}}")).recipe.size == 512


def test_an_empty_setting_is_its_default(folder: Path) -> None:
    config = load(write(folder, f"root:\noutput:\n  # quality: 3\nrecipe: {{size: }}\n{STYLES}"))
    assert config.output == Output()
    assert config.recipe == Defaults()


def test_a_byte_order_mark_and_windows_lines_are_fine(folder: Path) -> None:
    assert load(write(folder, b"\xef\xbb\xbf" + STYLES.encode() + b"root: .\r\n")).root == folder


def test_anchors_aliases_and_merges_work(folder: Path) -> None:
    text = """
styles:
  night: &night {picture: night.jpg, style_weight: 2, seed: 3}
  later: {<<: *night, seed: 4}
  again: {<<: [*night], keep_colors: luminance}
"""
    config = load(write(folder, text))
    assert (config.settings("later").recipe.style_weight, config.settings("later").recipe.seed) == (2.0, 4)
    assert config.styles["again"].seed == 3


def test_the_narrowest_place_wins(folder: Path) -> None:
    text = """
recipe: {preset: draft, size: 256, seed: 1, style_weight: 3}
styles: {night: {picture: night.jpg, size: 128, style_weight: 1}, day: {picture: day.png, preset: tutorial}}
"""
    config = load(write(folder, text))
    night = config.settings("night", load_sidecar(b"seed: 9\n", "a.jpg.yaml"))
    assert (night.preset, night.size, night.recipe.seed, night.recipe.style_weight) == ("draft", 128, 9, 1.0)
    day = config.settings("day")
    assert (day.preset, day.size, day.recipe.seed, day.recipe.style_weight) == ("tutorial", 256, 1, 3.0)
    assert day.recipe.beta == PRESETS["tutorial"].beta


def test_relative_paths_start_at_the_file_and_home_is_known(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / "own.webp").write_bytes(b"x")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    text = "root: ~/paint\nstyles: {a: {picture: night.jpg}, b: {picture: ~/own.webp}}"
    config = load(write(folder, text))
    assert config.root == home / "paint"
    assert config.styles["a"].picture == folder / "night.jpg"
    assert config.styles["b"].picture == home / "own.webp"
    monkeypatch.chdir(folder)
    assert load(Path("config.yaml")) == config


def test_a_configuration_cannot_be_changed_and_can_be_pickled(folder: Path) -> None:
    config = load(write(folder, STYLES))
    with pytest.raises(ValueError, match="frozen"):
        config.root = Path("/")
    assert pickle.loads(pickle.dumps(config)) == config
    assert hash(config.settings("night")) == hash(config.settings("night"))


def test_loading_touches_nothing(folder: Path) -> None:
    path = write(folder, "root: elsewhere\n" + STYLES)
    before = sorted(folder.iterdir())
    load(path)
    assert sorted(folder.iterdir()) == before


# --- the shipped file


def test_the_shipped_file_works_as_it_is() -> None:
    config = load(SHIPPED)
    assert config.root == SHIPPED.parent
    assert config.default_style == "starry"
    assert {"starry", "mosaic", "woodcut", "ink", "glass", "waves"} <= set(config.styles)


def test_every_setting_is_in_the_shipped_file_with_its_default(tmp_path: Path) -> None:
    """Written out or as a comment: the whole file, with the styles put aside, is nothing but the defaults."""
    text = SHIPPED.read_text().split("styles:  ")[0]
    text = re.sub(r"^  # (\w+: )", r"  \1", text, flags=re.MULTILINE)
    (tmp_path / "a.png").write_bytes(b"x")
    styles = "styles: {starry: {picture: a.png}}\n"
    written, bare = load(write(tmp_path, text + styles)), load(write(tmp_path, styles))
    assert written.model_dump(exclude={"recipe"}) == bare.model_dump(exclude={"recipe"})
    assert written.settings("starry") == bare.settings("starry")
    assert written.model_fields_set == Config.model_fields.keys()
    assert written.output.model_fields_set == Output.model_fields.keys()
    assert written.recipe.model_fields_set == RecipeSettings.model_fields.keys()


# --- what is refused


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
    "output: png": "output: 'png' is no group of settings; write name: value for each of its settings",
    "recipe: {preset: finest}": ("recipe.preset: 'finest' cannot be used; write fine, tutorial, gatys or draft"),
    "recipe: {size: 15}": (
        "recipe.size: '15' cannot be used; write auto, original, or the long side in pixels from 16 to 100000"
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
    "recipe: {styleweight: 2}": "recipe.styleweight: unknown setting; did you mean style_weight?",
    "output: {jpeg: 2}": "output.jpeg: unknown setting; known here are format, quality and location",
    "Recipe: {}": "Recipe: unknown setting; did you mean recipe?",
    "size: 512": "size: unknown setting; did you mean recipe.size?",
    "quality: 90": "quality: unknown setting; did you mean output.quality?",
    "originals: keep\noriginals: delete": "originals: is set twice, in lines 2 and 3; keep one",
    "output: {quality: 1, quality: 1}": "output.quality: is set twice, in lines 2 and 2; keep one",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_wrong_setting_is_refused_with_what_would_be_right(folder: Path, text: str) -> None:
    assert problems(folder, STYLES + text) == [REFUSED[text]]


def test_every_problem_is_told_at_once(folder: Path) -> None:
    text = """
originals: burn
recipe: {size: 3, keep_colours: no}
styles: {night: {picture: night.jpg, seed: x}, .day: {pictures: [{file: day.png, weight: 0}, {wieght: 1}]}, e: }
default_style: none
"""
    assert problems(folder, text) == [
        "originals: 'burn' cannot be used; write keep or delete",
        "recipe.size: '3' cannot be used; write auto, original, or the long side in pixels from 16 to 100000",
        "recipe.keep_colours: unknown setting; did you mean keep_colors?",
        "styles.night.seed: 'x' cannot be used; write a whole number from 0 to 9223372036854775807",
        "styles..day.pictures.1.weight: '0' cannot be used; write a number above 0, up to 1000000",
        "styles..day.pictures.2.file: is not there; write it",
        "styles..day.pictures.2.wieght: unknown setting; did you mean weight?",
        "styles..day: pictures in such a folder are left alone (hidden: its name begins with a dot); "
        "choose another name",
        "styles.e: has no picture; write picture: FILE below it, or pictures: for several",
        "default_style: there is no style 'none'; write night, .day or e",
    ]


NAMES = {
    "''": "styles.: the name is empty, or begins or ends with a space; choose another name",
    "' a'": "styles. a: the name is empty, or begins or ends with a space; choose another name",
    "a/b": "styles.a/b: the name has a /, and it is to be one folder; choose another name",
    '"a\\0b"': "styles.a\\x00b: the name has a control character; choose another name",
    '"a\\nb"': "styles.a\\nb: the name has a control character; choose another name",
    '"a\\ud800b"': "styles.a\\ud800b: the name has a control character; choose another name",
    "..": (
        "styles...: pictures in such a folder are left alone (hidden: its name begins with a dot); choose another name"
    ),
    "a.part": (
        "styles.a.part: pictures in such a folder are left alone (temporary: its name ends in .part); "
        "choose another name"
    ),
    "é" * 51: f"styles.{'é' * 51}: the name is longer than 100 bytes; choose another name",
    "Index.html": "styles.Index.html: the gallery's page has this name; choose another name",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_style_that_can_be_no_folder_is_refused(folder: Path, name: str) -> None:
    assert problems(folder, f"styles: {{{name}: {{picture: night.jpg}}}}") == [NAMES[name]]


@pytest.mark.parametrize(("one", "other"), [("Night", "night"), ("caf\u00e9", "cafe\u0301"), ("straße", "STRASSE")])
def test_two_names_that_some_systems_take_for_one_are_refused(folder: Path, one: str, other: str) -> None:
    text = f"styles: {{{one}: {{picture: night.jpg}}, {other}: {{picture: night.jpg}}}}"
    assert problems(folder, text) == [f"styles.{other}: many systems take this for {one}; choose another name"]


STYLE_FLAWS = {
    "": "styles: there is none; write at least one, for example starry: {picture: builtin:starry}",
    "styles: {}": "styles: there is none; write at least one, for example starry: {picture: builtin:starry}",
    "styles: []": "styles: a list is no group of styles; write each as name: {picture: FILE}",
    "styles: [night]": "styles: a list is no group of styles; write each as name: {picture: FILE}",
    "styles: {night: night.jpg}": (
        "styles.night: 'night.jpg' is no group of settings; write name: value for each of its settings"
    ),
    "styles: {night: }": "styles.night: has no picture; write picture: FILE below it, or pictures: for several",
    "styles: {night: {pictures: []}}": "styles.night.pictures: is empty; write at least one picture",
    "styles: {night: {pictures: night.jpg}}": (
        "styles.night.pictures: 'night.jpg' is no list; write for example [{file: a.jpg, weight: 2}]"
    ),
    "styles: {night: {pictures: [night.jpg]}}": (
        "styles.night.pictures.1: 'night.jpg' is no group of settings; write name: value for each of its settings"
    ),
    "styles: {night: {picture: night.jpg, pictures: [{file: day.png}]}}": (
        "styles.night: has both picture and pictures; keep one of the two"
    ),
    "styles: {night: {picture: night.jpg, stil_weight: 1}}": (
        "styles.night.stil_weight: unknown setting; did you mean style_weight?"
    ),
}


@pytest.mark.parametrize("text", STYLE_FLAWS)
def test_a_style_without_its_picture_is_refused(folder: Path, text: str) -> None:
    assert problems(folder, text) == [STYLE_FLAWS[text]]


@pytest.mark.parametrize(
    ("picture", "flaw"),
    [
        ("gone.jpg", "there is no file {folder}/gone.jpg"),
        ("night.jpg/a.jpg", "there is no file {folder}/night.jpg/a.jpg"),
        ("folder.jpg", "{folder}/folder.jpg is a folder, not a file"),
        ("pipe.jpg", "{folder}/pipe.jpg is not a file"),
        ("empty.jpg", "{folder}/empty.jpg is empty"),
        ("notes.txt", "{folder}/notes.txt has no picture's extension"),
        ("loop.jpg", "{folder}/loop.jpg cannot be reached (Too many levels of symbolic links)"),
        ("x" * 256 + ".jpg", "{folder}/" + "x" * 256 + ".jpg cannot be reached (File name too long)"),
        ('"a\\0.jpg"', "'a\\x00.jpg' cannot be used"),
        ('"a\\ud800.jpg"', "'a\\ud800.jpg' cannot be used"),
        ("[a]", "a list cannot be used"),
    ],
)
def test_a_picture_that_cannot_be_read_is_refused(folder: Path, picture: str, flaw: str) -> None:
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    (folder / "empty.jpg").touch()
    (folder / "notes.txt").write_text("x")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    right = f"write the path of a picture (seen from {folder}) or builtin:NAME"
    wanted = [f"styles.night.picture: {flaw.format(folder=folder)}; {right}"]
    assert problems(folder, f"styles: {{night: {{picture: {picture}}}}}") == wanted


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_picture_without_the_right_to_read_it_is_refused(folder: Path) -> None:
    (folder / "night.jpg").chmod(0)
    [problem] = problems(folder, STYLES)
    assert "night.jpg may not be read by the user that runs styled; write the path" in problem


def test_a_picture_that_ships_with_styled_is_known_by_name(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = tmp_path_factory.mktemp("assets")
    for name in ("ink.jpg", "starry.jpg", "NOTICE"):
        (assets / name).write_bytes(b"x")
    monkeypatch.setattr("daemon.config.checks.STYLES", assets)
    assert load(write(folder, "styles: {a: {picture: builtin:ink}}")).styles["a"].picture == assets / "ink.jpg"
    assert builtin_picture("builtin:starry") == assets / "starry.jpg"
    assert problems(folder, "styles: {a: {picture: builtin:stary}}") == [
        "styles.a.picture: no picture called 'stary' ships with styled; did you mean starry?"
    ]
    assert problems(folder, "styles: {a: {picture: builtin:x}}") == [
        "styles.a.picture: no picture called 'x' ships with styled; those that do are ink and starry"
    ]


def test_weights_that_are_not_there_are_refused(folder: Path) -> None:
    assert problems(folder, STYLES + "weights: imagnet") == [
        f"weights: there is no file {folder}/imagnet; did you mean imagenet?"
    ]
    assert problems(folder, STYLES + "weights: vgg.pth") == [
        f"weights: there is no file {folder}/vgg.pth; write auto, imagenet, embedded, or the path of a state_dict"
    ]


# --- the text itself

BROKEN = {
    "root:\n\tx: 1": "line 2, column 1: a tab; indent with spaces",
    "root: @home": "line 1, column 7: text must not begin with this character; put it in quotes",
    "root: a: b": "line 1, column 8: a colon where none can be; check the indentation, or quote the text",
    "root: .\nstyles\nx: 1": "line 3, column 1: a line without its colon; write name: value",
    "root: 'a": "line 1, column 9: a quote is opened and never closed; close it",
    "root: 'a' b": "line 1, column 11: text follows a closing quote or bracket; put all of it in quotes",
    "a:\n  b: 1\n c: 2": ("line 3, column 2: the indentation does not fit the lines above; line it up with them"),
    "a: [1, 2": "line 1, column 9: a bracket is not closed, or a comma is missing; write it",
    "a: *x": "line 1, column 4: an alias (*name) without its anchor (&name) above; write the anchor",
    "a: &x 1\nb: &x 2": "line 2, column 4: an anchor (&name) is set twice; rename one",
    "a: 1\n---\nb: 2": "line 2, column 1: a second document begins (---); keep one",
    "a: ]": (
        "line 1, column 4: this is not YAML (expected the node content, but found ']' "
        "while parsing a block node); correct it"
    ),
    "a: 1\nb: \x07": "line 2: has a control character; remove it",
    "? [a]\n: b\n" + STYLES: "line 1, column 3: a list or group as a name; write a plain name",
    "root: !include x\n" + STYLES: "line 1, column 7: a tag, '!include'; leave it out",
    "root: !!python/name:os.system x\n" + STYLES: ("line 1, column 7: a tag, 'python/name:os.system'; leave it out"),
    "- a\n- b": "holds a list instead of settings; write name: value lines",
    "hello": "holds 'hello' instead of settings; write name: value lines",
    "[" * 2000: "is nested too deeply or has a broken escape; write plain settings",
    "a: &a [*a]": "is nested too deeply or has a broken escape; write plain settings",
    'a: "\\UFFFFFFFF"': "is nested too deeply or has a broken escape; write plain settings",
    "#" * ((1 << 20) + 1): "is larger than 1024 KiB; this is not a file of settings",
}


@pytest.mark.parametrize("text", BROKEN, ids=[text[:20] for text in BROKEN])
def test_text_that_is_no_yaml_is_refused_with_its_line(folder: Path, text: str) -> None:
    assert problems(folder, text) == [f"{folder}/config.yaml: {BROKEN[text]}"]


def test_text_in_another_encoding_is_refused(folder: Path) -> None:
    wanted = [f"{folder}/config.yaml: line 2: is not UTF-8 text; save it as UTF-8"]
    assert problems(folder, STYLES.encode() + "default_style: café".encode("latin-1")) == wanted


def test_aliases_of_aliases_cost_nothing(folder: Path) -> None:
    levels = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 20)}]\n" for i in range(1, 30))
    merges = "".join(f"m{i}: &m{i} {{<<: [{', '.join([f'*m{i - 1}'] * 20)}]}}\n" for i in range(1, 30))
    started = time.monotonic()
    found = problems(folder, f"l0: &l0 [x]\n{levels}m0: &m0 {{a: 1}}\n{merges}root: *l29\n")
    assert time.monotonic() - started < 20
    assert "root: a list cannot be used; write the path of a folder" in found


def test_a_file_that_cannot_be_read_is_refused(folder: Path) -> None:
    (folder / "config.yaml").mkdir()
    (folder / "loop.yaml").symlink_to("loop.yaml")
    for name, why in [
        ("config.yaml", "this is a folder; name the file in it"),
        (
            "loop.yaml",
            "cannot be read (Too many levels of symbolic links); give the user that runs styled the right to",
        ),
    ]:
        with pytest.raises(ConfigError) as caught:
            load(folder / name)
        assert caught.value.problems == (f"{folder}/{name}: {why}",)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
names = st.sampled_from([*Config.model_fields, *RecipeSettings.model_fields, "picture", "pictures", "file", "<<"])
trees = st.recursive(
    scalars,
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(names | st.text(max_size=3), children, max_size=4)
    ),
    max_leaves=12,
)
yamlish = st.text(alphabet="ab:-[]{}&*!|>%@`'\"#,? \n\t\\u0é\ud7ff\x00~<.x1", max_size=60)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    raw=st.binary(max_size=60) | yamlish.map(str.encode) | trees.map(lambda tree: repr(tree).encode("utf-8", "replace"))
)
def test_whatever_the_bytes_there_is_a_configuration_or_a_configerror(folder: Path, raw: bytes) -> None:
    found: list[str] = []
    for text in (raw, STYLES.encode() + raw):
        with contextlib.suppress(ConfigError):
            load(write(folder, text))
            continue
        found += problems(folder, text)
    try:
        load_sidecar(raw, "a.jpg.yaml")
    except JobError as error:
        found.append(error.reason)
    assert all(problem.isprintable() and ": " in problem for problem in found)


# --- sidecars, and settings without a file


def test_a_sidecar_has_recipe_settings_only() -> None:
    own = load_sidecar(b"size: 64\nkeep_colors: no\n", "a.jpg.yaml")
    assert own.said() == {"size": 64, "keep_colors": "no"}
    assert load_sidecar(b"", "a.jpg.yaml").said() == {}


def test_a_wrong_sidecar_fails_its_photo_with_every_problem() -> None:
    with pytest.raises(JobError) as caught:
        load_sidecar(b"size: big\npicture: a.jpg\n", "a\n.jpg.yaml")
    assert caught.value.reason == (
        "The settings in a\\n.jpg.yaml cannot be used: size: 'big' cannot be used; write auto, original, or the long "
        "side in pixels from 16 to 100000 | picture: unknown setting; known here are preset, size, style_weight, "
        "content_weight, smoothness, style_scale, seed, start and keep_colors."
    )
    assert caught.value.advice == "Correct its settings, or take that file away, and try again."
    with pytest.raises(JobError, match="is larger than 64 KiB; this is not a file of settings"):
        load_sidecar(b"#" * 70_000, "a.jpg.yaml")


def test_settings_can_be_had_without_a_file() -> None:
    made = settings_from({"size": 300, "keep_colors": "no", "style_weight": 2})
    assert (made.preset, made.size, made.recipe.style_weight) == ("fine", 300, 2.0)
    with pytest.raises(ConfigError) as caught:
        settings_from({"preset": "best", "start": 3})
    assert caught.value.problems == (
        "preset: 'best' cannot be used; write fine, tutorial, gatys or draft",
        "start: '3' cannot be used; write content, noise or style",
    )


def test_a_picture_can_be_named_without_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert builtin_picture("night.jpg") == folder / "night.jpg"
    with pytest.raises(ConfigError, match=r"^style picture: there is no file .*/gone.jpg; write the path of a picture"):
        builtin_picture("gone.jpg")


# --- finding and changing


def test_the_file_is_looked_for_here_and_then_in_etc(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = folder / "etc.yaml"
    monkeypatch.setattr(module, "SYSTEM_CONFIG", system)
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError) as caught:
        find(None)
    assert caught.value.problems == (
        f"config.yaml: there is none in this folder and no {system}; go to the folder that has it, "
        "name it with --config FILE, or run `styled demo`, which needs none",
    )
    system.touch()
    assert find(None) == system
    (folder / "config.yaml").touch()
    assert find(None) == Path("config.yaml")
    assert find(Path("mine.yaml")) == Path("mine.yaml")


def test_changes_are_told_one_by_one(folder: Path) -> None:
    old = load(write(folder, STYLES + "recipe: {size: 512}"))
    text = """
root: other
device: cpu
settle_seconds: 2.5
output: {location: yes}
recipe: {size: 1024, seed: 3}
default_style: night
styles:
  night: {pictures: [{file: night.jpg, weight: 2}, {file: day.png}]}
  day: {picture: day.png}
"""
    new = load(write(folder, text))
    assert new.changes_that_need_restart(old) == old.changes_that_need_restart(new) == ["root", "device"]
    assert describe_changes(old, new) == [
        f"root: {folder} → {folder}/other",
        "settle_seconds: 2 → 2.5",
        "device: auto → cpu",
        "output.location: no → yes",
        "recipe.size: 512 → 1024",
        "recipe.seed: not set → 3",
        f"styles.night.picture: {folder}/night.jpg → not set",
        f"styles.night.pictures: not set → {folder}/night.jpg × 2 + {folder}/day.png × 1",
        "styles.day: added",
    ]
    assert "styles.day: removed" in describe_changes(new, old)
    assert describe_changes(old, old) == old.changes_that_need_restart(old) == []
