import subprocess
import sys
from typing import Literal

import pytest

from daemon.filenames import EXTENSIONS, LONGEST_SIDE, extension_of, output_format


@pytest.mark.parametrize(
    ("source", "wanted", "result"),
    [
        ("JPEG", "keep", "jpeg"),
        ("MPO", "keep", "jpeg"),
        ("WEBP", "keep", "webp"),
        ("PNG", "keep", "png"),
        ("HEIF", "keep", "png"),
        ("TIFF", "keep", "png"),
        ("JPEG", "png", "png"),
        ("PNG", "jpeg", "jpeg"),
        ("GIF", "webp", "webp"),
    ],
)
def test_a_painting_is_what_was_asked_for(source: str, wanted: str, result: str) -> None:
    assert output_format(source, wanted) == result  # type: ignore[arg-type]


@pytest.mark.parametrize("wanted", ["jpeg", "webp"])
def test_a_painting_too_long_for_its_format_is_a_png(wanted: Literal["jpeg", "webp"]) -> None:
    longest = LONGEST_SIDE[wanted]
    assert output_format("PNG", wanted, (longest, 10)) == wanted
    assert output_format("PNG", wanted, (10, longest + 1)) == "png"


def test_every_output_has_an_ending() -> None:
    assert [extension_of(output) for output in EXTENSIONS] == [".png", ".jpg", ".webp"]


@pytest.mark.parametrize(
    ("output", "photo", "ending"),
    [("jpeg", "IMG_1.JPG", ".JPG"), ("jpeg", "a.jpeg", ".jpeg"), ("jpeg", "a.heic", ".jpg"), ("png", "a.jpg", ".png")],
)
def test_a_photo_keeps_its_own_ending_where_that_is_true(
    output: Literal["jpeg", "png"], photo: str, ending: str
) -> None:
    assert extension_of(output, photo) == ending


def test_names_are_known_without_a_decoder() -> None:
    code = "import sys, daemon.formats; print('PIL' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
