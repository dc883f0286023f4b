"""What a name says, without looking at the file, and the format of a painting."""

import os
import subprocess
import sys
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.filenames import (
    LONGEST_SIDE,
    OUTPUT_EXTENSIONS,
    PICTURE_EXTENSIONS,
    companion_of,
    extension,
    extension_of,
    ignored_reason,
    is_photo,
    natural_sort_key,
    output_format,
)

ODD_NAMES = st.binary(min_size=1, max_size=40).filter(lambda b: b"/" not in b and b"\0" not in b).map(os.fsdecode)


@pytest.mark.parametrize(
    "name", ["photo.jpg", "PHOTO.JPG", "a.b.c.HeIc", "x.tiff", "été à Rome.png", "venice.mask.png"]
)
def test_pictures_are_photos_whatever_the_case_of_their_extension(name: str) -> None:
    assert is_photo(name)


@pytest.mark.parametrize("ending", sorted(PICTURE_EXTENSIONS))
def test_every_extension_that_can_be_read_makes_a_photo(ending: str) -> None:
    assert is_photo(f"a{ending}")
    assert extension(f"a{ending.upper()}") == ending


@pytest.mark.parametrize(
    "name",
    [
        *(".photo.jpg", ".jpg", "photo.jpg~", "photo.jpg.part", "photo.jpg.CRDOWNLOAD", "photo.tmp", "a.jpg.filepart"),
        *("a.jpg.partial", "a.jpg.download", ".DS_Store", "._photo.jpg", ".nfs000123"),
    ],
)
def test_hidden_and_temporary_names_are_passed_over_with_their_rule(name: str) -> None:
    assert ignored_reason(name)
    assert not is_photo(name)


@pytest.mark.parametrize("name", ["Thumbs.db", "notes.txt", "README", "photo", "photo.", "jpg", "a.jpg.yaml", "a.pdf"])
def test_other_kinds_of_files_are_no_photos(name: str) -> None:
    assert not is_photo(name)
    assert not ignored_reason(name)


@pytest.mark.parametrize(
    "folder", ["@eaDir", "#recycle", "$RECYCLE.BIN", "lost+found", ".git", "holiday.part", "__MACOSX"]
)
def test_folders_of_the_system_and_of_unfinished_downloads_are_passed_over(folder: str) -> None:
    assert ignored_reason(folder)


@pytest.mark.parametrize(
    ("name", "photo"),
    [
        ("photo.jpg.yaml", "photo.jpg"),
        ("photo.JPG.mask.png", "photo.JPG"),
        ("photo.jpg.MASK.PNG", "photo.jpg"),
        ("photo.jpg.mask.png.yaml", "photo.jpg.mask.png"),
        ("venice.mask.png", ""),
        ("config.yaml", ""),
        ("photo.jpg", ""),
        (".yaml", ""),
    ],
)
def test_a_companion_names_its_photo(name: str, photo: str) -> None:
    assert companion_of(name) == photo
    if photo:
        assert not is_photo(name)


def test_names_sort_as_people_count() -> None:
    names = ["p10.jpg", "P9.jpg", "p1.jpg", "p2b.jpg", "p2a.jpg", "7.jpg"]
    assert sorted(names, key=natural_sort_key) == ["7.jpg", "p1.jpg", "p2a.jpg", "p2b.jpg", "P9.jpg", "p10.jpg"]


@given(st.lists(ODD_NAMES, max_size=8))
def test_any_names_can_be_sorted_and_differ(names: list[str]) -> None:
    keys = sorted(natural_sort_key(name) for name in names)
    assert len({name for _, name in keys}) == len(set(names))


@given(ODD_NAMES)
def test_every_name_is_judged_without_an_exception(name: str) -> None:
    assert not (is_photo(name) and (ignored_reason(name) or companion_of(name)))


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
    assert [extension_of(output) for output in OUTPUT_EXTENSIONS] == [".png", ".jpg", ".webp"]


@pytest.mark.parametrize(
    ("output", "photo", "ending"),
    [("jpeg", "IMG_1.JPG", ".JPG"), ("jpeg", "a.jpeg", ".jpeg"), ("jpeg", "a.heic", ".jpg"), ("png", "a.jpg", ".png")],
)
def test_a_photo_keeps_its_own_ending_where_that_is_true(
    output: Literal["jpeg", "png"], photo: str, ending: str
) -> None:
    assert extension_of(output, photo) == ending


def test_formats_are_known_without_a_decoder() -> None:
    code = "import sys, daemon.filenames; print('PIL' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
