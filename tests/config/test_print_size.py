"""Sizes of prints."""

import pytest

from daemon.config.print_size import PrintSize, print_size


@pytest.mark.parametrize(
    ("text", "long", "short", "dpi"),
    [
        ("30x20cm@300dpi", 3543, 2362, 300),
        ("20 x 30 cm @ 300", 3543, 2362, 300),
        ("300×200mm@300dpi", 3543, 2362, 300),
        ("6x4in@150dpi", 900, 600, 150),
        ("A4@300dpi", 3508, 2480, 300),
        ("13.5x9cm@72dpi", 383, 255, 72),
    ],
)
def test_a_print_in_pixels(text: str, long: int, short: int, dpi: int) -> None:
    assert print_size(text) == PrintSize(long, short, dpi)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30x20cm",
        "30x20@300dpi",
        "30cm@300dpi",
        "a9@300",
        "30x20cm@0dpi",
        "1x1mm@10dpi",
        "1.2.3x4cm@300",
        "9x9in@90000",
    ],
)
def test_what_is_no_print(text: str) -> None:
    assert print_size(text) is None


@pytest.mark.parametrize(("width", "height"), [(3000, 2000), (2000, 3000), (4000, 3000), (1000, 1000), (9000, 100)])
def test_the_painting_is_as_large_as_the_paper_allows_and_never_larger(width: int, height: int) -> None:
    paper = print_size("30x20cm@100dpi")
    assert paper is not None
    long = paper.long_side(width, height)
    short = round(long * min(width, height) / max(width, height))
    assert (long == paper.long and short <= paper.short) or (short == paper.short and long <= paper.long)
