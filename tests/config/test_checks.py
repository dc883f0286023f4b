"""Styles, their names and their pictures: what is refused, and in which words."""

import os
from pathlib import Path

import pytest

from daemon.config.checks import style_picture
from daemon.config.load import load
from tests.support.configs import STYLES, problems, write

NAMES = {
    "''": "styles.: the name is empty, or begins or ends with a space; choose another name",
    "' a'": "styles. a: the name is empty, or begins or ends with a space; choose another name",
    "a/b": "styles.a/b: the name has a /, but a style is a single folder; choose another name",
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
    "Index.html": "styles.Index.html: this is the name of the gallery's page; choose another name",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_style_that_can_be_no_folder_is_refused(folder: Path, name: str) -> None:
    assert problems(folder, f"styles: {{{name}: {{picture: night.jpg}}}}") == [NAMES[name]]


@pytest.mark.parametrize(("one", "other"), [("Night", "night"), ("caf\u00e9", "cafe\u0301"), ("straße", "STRASSE")])
def test_two_names_that_some_systems_take_for_one_are_refused(folder: Path, one: str, other: str) -> None:
    text = f"styles: {{{one}: {{picture: night.jpg}}, {other}: {{picture: night.jpg}}}}"
    assert problems(folder, text) == [
        f"styles.{other}: many systems cannot tell this name from {one}; choose another name"
    ]


STYLE_FLAWS = {
    "": "styles: there is no style; write at least one, for example starry: {picture: builtin:starry}",
    "styles: {}": "styles: there is no style; write at least one, for example starry: {picture: builtin:starry}",
    "styles: []": "styles: a list is not a group of styles; write each style as name: {picture: FILE}",
    "styles: [night]": "styles: a list is not a group of styles; write each style as name: {picture: FILE}",
    "styles: {night: night.jpg}": (
        "styles.night: 'night.jpg' is not a group of settings; write name: value for each of its settings"
    ),
    "styles: {night: }": "styles.night: has no picture; write picture: FILE below it, or pictures: for several",
    "styles: {night: {pictures: []}}": "styles.night.pictures: is empty; write at least one picture",
    "styles: {night: {pictures: night.jpg}}": (
        "styles.night.pictures: 'night.jpg' is not a list; write for example [{file: a.jpg, weight: 2}]"
    ),
    "styles: {night: {pictures: [night.jpg]}}": (
        "styles.night.pictures.1: 'night.jpg' is not a group of settings; write name: value for each of its settings"
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
        ("notes.txt", "{folder}/notes.txt does not end like a picture"),
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
    assert "night.jpg cannot be read by the user that runs styled; write the path" in problem


def test_a_picture_that_ships_with_styled_is_known_by_name(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = tmp_path_factory.mktemp("assets")
    for name in ("ink.jpg", "starry.jpg", "NOTICE"):
        (assets / name).write_bytes(b"x")
    monkeypatch.setattr("daemon.config.checks.STYLES", assets)
    assert load(write(folder, "styles: {a: {picture: builtin:ink}}")).styles["a"].picture == assets / "ink.jpg"
    assert style_picture("builtin:starry", folder) == assets / "starry.jpg"
    assert problems(folder, "styles: {a: {picture: builtin:stary}}") == [
        "styles.a.picture: there is no built-in picture 'stary'; did you mean starry?"
    ]
    assert problems(folder, "styles: {a: {picture: builtin:x}}") == [
        "styles.a.picture: there is no built-in picture 'x'; there are ink and starry"
    ]


def test_weights_that_are_not_there_are_refused(folder: Path) -> None:
    assert problems(folder, STYLES + "weights: imagnet") == [
        f"weights: there is no file {folder}/imagnet; did you mean imagenet?"
    ]
    assert problems(folder, STYLES + "weights: vgg.pth") == [
        f"weights: there is no file {folder}/vgg.pth; write auto, imagenet, embedded, or the path of a state_dict"
    ]
