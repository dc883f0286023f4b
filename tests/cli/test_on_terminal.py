"""What a person sees who types the commands into a terminal."""

import re
import sys
from pathlib import Path

import pytest

from tests.support.samples import jpeg
from tests.support.terminal import OnTerminal

pytestmark = pytest.mark.slow
STYLED = (sys.executable, "-m", "daemon")
QUICK = ("--preset", "draft", "--size", "64", "--device", "cpu", "--threads", "1")


def test_paint_shows_a_bar_for_the_picture_and_one_for_all_with_their_per_cent(root: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (root / name).write_bytes(jpeg(90, 60))
    files = (root / "a.jpg", root / "b.jpg", "-s", root / "alpha.png", "-o", root / "out")
    shown = OnTerminal([*STYLED, "paint", *files, *QUICK], environment={"NO_COLOR": "1"})
    assert shown.end() == 0, shown.text
    assert re.search(r"a-alpha\.jpg\s*[━╸╺]+\s*\d+%", shown.text)
    assert re.search(r"all\s*[━╸╺]+\s*\d+% 2 of 2", shown.text)
    assert "loss" in shown.text
    assert "2 paintings in" in shown.text
    assert "step " not in shown.text


def test_ctrl_c_says_what_was_painted_and_what_went_back(root: Path) -> None:
    inbox = root / "inbox/alpha"
    inbox.mkdir(parents=True)
    (inbox / "a.jpg").write_bytes(jpeg(40, 30))
    (root / "slow").write_text("30")
    command = [sys.executable, "-m", "tests.support.fast_daemon", "--config", root / "config.yaml"]
    shown = OnTerminal(command, environment={"COLORTERM": "truecolor"})
    shown.wait_for("alpha/a.jpg")
    shown.wait_for("painting")
    shown.press("\x03")
    assert shown.end() == 0, shown.text
    assert "stopped: 0 painted; 1 went back into the inbox unfinished" in shown.text
    assert (inbox / "a.jpg").exists()


def test_every_command_is_summed_up_in_a_line_of_80_columns() -> None:
    shown = OnTerminal([*STYLED, "--help"], columns=80, environment={"COLUMNS": "80"})
    assert shown.end() == 0
    assert "..." not in shown.text.partition("Commands:")[2]


@pytest.mark.parametrize(
    ("key", "code"), [("y", 0), ("n", 2), ("\n", 2), ("\x03", 1)], ids=["yes", "no", "enter", "^C"]
)
def test_a_file_that_exists_is_replaced_only_after_a_yes(root: Path, key: str, code: int) -> None:
    sheet = root / "sheet.png"
    sheet.write_bytes(b"mine")
    command = [*STYLED, "styles", "--config", root / "config.yaml", "--sheet", sheet]
    shown = OnTerminal(command, columns=300, environment={})
    shown.wait_for("sheet.png exists already. Replace this file? [y/N]: ")
    shown.wait_until_it_sleeps()
    shown.press(key if key in "\n\x03" else f"{key}\n")
    assert shown.end() == code, shown.text
    assert (sheet.read_bytes() == b"mine") == (code != 0)
    assert "Traceback" not in shown.text


def test_several_paintings_are_asked_for_once(root: Path) -> None:
    (root / "a.jpg").write_bytes(jpeg(90, 60))
    (root / "out").mkdir()
    for style in ("alpha", "beta"):
        (root / f"out/a-{style}.jpg").write_bytes(b"mine")
    command = [*STYLED, "paint", root / "a.jpg", "-s", "alpha,beta", "-o", root / "out", *QUICK]
    shown = OnTerminal([*command, "--config", root / "config.yaml"], columns=300, environment={})
    shown.wait_for("a-beta.jpg exist already. Replace these files? [y/N]")
    shown.press("y\n")
    assert shown.end() == 0, shown.text
    assert all((root / f"out/a-{style}.jpg").read_bytes() != b"mine" for style in ("alpha", "beta"))
