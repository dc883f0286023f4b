"""Sheets of pictures with captions."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from daemon.pictures import sheets
from daemon.pictures.sheets import NARROWEST, Tile, grid, sheet, tile
from tests.support.made_pictures import encoded

COLOURS = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}


def plain(title: str = "", text: str = "", width: int = 60) -> Tile:
    return Tile(np.full((40, width, 3), 0.5, np.float32), title, text)


def drawn(*rows: list[Tile]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    out = io.BytesIO()
    sheet(rows, out, kind="png")
    return np.asarray(Image.open(out).convert("RGB"))


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_a_sheet_shows_every_picture_in_the_format_of_its_name(tmp_path: Path, kind: str) -> None:
    tiles = []
    for colour in COLOURS:
        path = tmp_path / f"{colour}.png"
        path.write_bytes(encoded(Image.new("RGB", (30, 20), colour), "PNG"))
        tiles.append(tile(path, colour))
    out = io.BytesIO()
    sheet(grid(tiles), out, kind="png" if kind == "png" else "jpeg")
    image = Image.open(out)
    assert image.format == kind.upper()
    middles = [
        image.convert("RGB").getpixel((x * image.width // 4, y * image.height // 4)) for y in (1, 3) for x in (1, 3)
    ]
    assert np.allclose(np.array(middles), list(COLOURS.values()), atol=8)


def test_captions_are_written_below_their_picture_and_broken_to_its_width() -> None:
    bare, titled = drawn([plain()]), drawn([plain("starry", "starry: {picture: builtin:starry, style_weight: 2} " * 2)])
    assert bare.shape[1] == titled.shape[1], "a long caption makes no wider sheet"
    assert titled.shape[0] >= bare.shape[0] + 4 * 14, "a title and at least three lines"
    below, sides = titled[16 + 40 + 2 :], titled[:, -12:]
    assert below.min() < 100
    assert sides.min() == 255, "no letter beyond the column"


def test_a_caption_has_no_boxes_for_letters_beyond_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "FONTS", ())
    sheets._system_font.cache_clear()
    assert np.array_equal(drawn([plain("Kölner Straße.jpg")]), drawn([plain("Kolner Stra?e.jpg")]))
    monkeypatch.undo()
    sheets._system_font.cache_clear()
    if sheets._system_font():
        assert not np.array_equal(drawn([plain("Köln.jpg")]), drawn([plain("Kün.jpg")]))


def test_pictures_of_different_widths_stand_in_columns() -> None:
    image = drawn([plain(width=300), plain()], [plain(), plain()])
    starts = [int(np.flatnonzero((image[row, 320:] != 255).any(-1))[0]) for row in (30, 30 + 56)]
    assert starts[0] == starts[1]
    assert image.shape[1] == 16 + 300 + 16 + NARROWEST + 16


@pytest.mark.parametrize(("tiles", "rows"), [(1, [1]), (2, [1, 1]), (4, [2, 2]), (7, [4, 3]), (10, [4, 4, 2])])
def test_many_pictures_stand_in_two_rows_or_in_rows_of_four(tiles: int, rows: list[int]) -> None:
    assert [len(row) for row in grid([plain()] * tiles)] == rows
