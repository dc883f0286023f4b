"""Blind comparisons: the sheets hide which is which, the key knows, and the sign test is the binomial one."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.benchmarks.look import blind

RED, BLUE = (220, 20, 20), (20, 20, 220)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for folder, colour in (("a", RED), ("b", BLUE)):
        (tmp_path / folder).mkdir()
        for number in range(12):
            Image.new("RGB", (20, 16), colour).save(tmp_path / folder / f"{number}.png")
    return tmp_path / "a", tmp_path / "b"


def test_the_key_says_on_which_side_a_is_and_the_order_varies(folders: tuple[Path, Path], tmp_path: Path) -> None:
    assert blind.main([*map(str, folders), "-o", str(tmp_path / "sheets"), "--seed", "3"]) == 0
    key = json.loads((tmp_path / "sheets.key.json").read_text())
    assert set(key.values()) == {"left", "right"}
    for name, side in key.items():
        with Image.open(tmp_path / "sheets" / f"{name}.jpg") as sheet:
            left_is_red = sheet.convert("RGB").getpixel((5, 8))[0] > 128  # type: ignore[index]
        assert left_is_red == (side == "left")


def test_answers_are_counted_for_the_folder_that_was_meant(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "sheets")
    blind.main([*map(str, folders), "-o", out])
    key = json.loads((tmp_path / "sheets.key.json").read_text())
    other = {"left": "right", "right": "left"}
    names = sorted(key, key=int)
    lines = [*(f"{name} {key[name]}" for name in names[:9]), *(f"{name} {other[key[name]]}" for name in names[9:11])]
    lines.append("11 tie")
    (tmp_path / "answers").write_text("\n".join(lines))
    blind.main(["-o", out, "--answers", str(tmp_path / "answers")])
    assert "A 9, B 2, ties 1; by chance with probability 0.065" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="not understood"):
        blind.count(key, ["0 middle"])


@pytest.mark.parametrize(("wins", "losses", "probability"), [(0, 0, 1), (5, 5, 1), (10, 0, 2 / 1024), (9, 3, 0.146)])
def test_the_sign_test_is_the_binomial_one(wins: int, losses: int, probability: float) -> None:
    assert blind.chance(wins, losses) == pytest.approx(probability, abs=5e-4)
    assert blind.chance(losses, wins) == blind.chance(wins, losses)
