"""The text of config.yaml: groups, lists and texts, and plain words for what is no YAML."""

import time
from pathlib import Path

import pytest

from daemon.config.load import load
from daemon.config.models import Defaults, Output
from daemon.config.yaml_text import parse_yaml, style_line, without
from tests.support.configs import STYLES, problems, write


@pytest.mark.parametrize("name", ["1889", "on", "yes", "null", "0x1F", "1_000", "ночь", "night scream", "👩‍🎨"])
def test_a_style_is_called_what_is_written(folder: Path, name: str) -> None:
    config = load(write(folder, f"default_style: {name}\nstyles: {{{name}: {{picture: night.jpg}}}}"))
    if name == "null":  # nothing, as a value; the first style is meant all the same
        assert config.default_style == "null"
    assert list(config.styles) == [config.default_style] == [name]


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
    "? [a]\n: b\n" + STYLES: "line 1, column 3: a list or group as a name; write a word as the name",
    "root: !include x\n" + STYLES: "line 1, column 7: a tag, '!include'; remove it",
    "root: !!python/name:os.system x\n" + STYLES: ("line 1, column 7: a tag, 'python/name:os.system'; remove it"),
    "- a\n- b": "holds a list instead of settings; write name: value lines",
    "hello": "holds 'hello' instead of settings; write name: value lines",
    "[" * 1000: "is nested too deeply or has a broken escape; write plain settings",
    "a: &a [*a]": "is nested too deeply or has a broken escape; write plain settings",
    'a: "\\UFFFFFFFF"': "is nested too deeply or has a broken escape; write plain settings",
    "#" * ((1 << 20) + 1): "is larger than 1024 KiB, too large for a file of settings",
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


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("# mine\nsize: 64\n", "# mine\nsize: 64\n"),
        ("style: ink\n", ""),
        ("style: [ink, starry]\nsize: 64\nstart: 'noise'\n", "size: 64\nstart: 'noise'\n"),
        ("{style: ink, size: 64}", "{size: 64}\n"),
        ("", ""),
    ],
)
def test_a_setting_is_taken_out_of_a_text_and_the_others_stay(text: str, left: str) -> None:
    assert without(text.encode(), "style").decode() == left


@pytest.mark.parametrize(
    ("name", "pictures", "settings", "line"),
    [
        ("ink", [("builtin:ink", 1.0)], {}, "ink: {picture: builtin:ink}"),
        ("ink-2", [("a b.jpg", 1.0)], {"style_weight": 2.0}, "ink-2: {picture: a b.jpg, style_weight: 2}"),
        (
            "on",
            [("a.jpg", 2.0), ("b", 0.5)],
            {},
            "'on': {pictures: [{file: a.jpg, weight: 2}, {file: b, weight: 0.5}]}",
        ),
        ("a: b", [("x#y.jpg", 1.0)], {"start": "noise"}, "'a: b': {picture: x#y.jpg, start: noise}"),
    ],
)
def test_a_style_is_written_as_a_line_that_reads_back(
    name: str, pictures: list[tuple[str, float]], settings: dict[str, object], line: str
) -> None:
    assert style_line(name, pictures, settings) == line
    read, problems = parse_yaml(line.encode(), "", 1000)
    assert not problems
    assert list(read) == [name]
