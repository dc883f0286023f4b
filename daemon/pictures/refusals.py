"""Errors of decoders as JobErrors in words for a photographer, told apart from errors of the disk."""

import io
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from daemon.errors import JobError
from daemon.pictures import boxes

log = logging.getLogger("styled")

EXPORT = "Open it in the program that made it and export it as JPEG, PNG or TIFF; drop that."
COPY_AGAIN = "Copy it again from the camera, card or phone."
SAVE_AGAIN = f"{COPY_AGAIN} If that does not help, open it in a photo editor and save it again."
KINDS = "JPEG, PNG, WebP, TIFF, BMP, GIF, HEIC and AVIF are painted."

# (pattern of the first bytes, the kind of file, advice)
OTHER_KINDS = (
    (rb"%PDF", "a PDF document", EXPORT),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript file", EXPORT),
    (rb"8BPS", "a Photoshop document", EXPORT),
    (rb"\s*<\?xml.{0,400}<svg|\s*<svg", "an SVG drawing", EXPORT),
    (rb"\s*<(!doctype html|html)", "a web page", "Download the picture itself, not the page that shows it."),
    (rb"II\*\x00....CR", "a RAW file (Canon)", EXPORT),
    (rb"....ftypcrx ", "a RAW file (Canon)", EXPORT),
    (rb"FUJIFILM", "a RAW file (Fujifilm)", EXPORT),
    (rb"IIR[OS]|MMOR", "a RAW file (Olympus)", EXPORT),
    (rb"IIU\x00", "a RAW file (Panasonic)", EXPORT),
    (rb"FOVb|\x00MRM|ARRI", "a RAW file", EXPORT),
    (rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000 picture", EXPORT),
    (rb"\x00\x00\x00\x0cJXL |\xff\x0a", "a JPEG XL picture", EXPORT),
    (rb"\x00\x00[\x01\x02]\x00", "an icon", EXPORT),
    (rb"gimp xcf", "a GIMP document", EXPORT),
    (rb"....ftyp(?!hei|hev|mif1|msf1|avi[fs])|RIFF....AVI |\x1a\x45\xdf\xa3", "a video", KINDS),
    (rb"PK\x03\x04|\x1f\x8b|Rar!|7z\xbc\xaf", "an archive or a document", "Unpack it; drop the pictures in it."),
)
OUR_KINDS = (
    (rb"\xff\xd8", "JPEG"),
    (rb"\x89PNG", "PNG"),
    (rb"RIFF....WEBP", "WebP"),
    (rb"II[*+]\x00|MM\x00[*+]", "TIFF"),
    (rb"BM", "BMP"),
    (rb"GIF8", "GIF"),
    (rb"....ftypavi", "AVIF"),
    (rb"....ftyp", "HEIC"),
)
LIMIT = re.compile(r"\blimits?\b|too (large|many|big|long)|exceed", re.IGNORECASE)
UNSUPPORTED = re.compile(r"unsupported|not supported|not implemented", re.IGNORECASE)
BREAKS_OFF = re.compile(r"truncat|end of file|unexpected end|EOF", re.IGNORECASE)


@contextmanager
def decoding(file: BinaryIO) -> Iterator[BinaryIO]:
    """`file`, buffered, to decode from. Every exception of a decoder becomes a JobError.

    An OSError of the disk under the file is raised as it is, even if the decoder swallowed the error.
    """
    disk = _Disk(file)
    try:
        with warnings_silenced():
            yield io.BufferedReader(disk)
    except Exception as error:  # decoders raise anything: struct.error, SyntaxError, ZeroDivisionError …
        if disk.fault is not None:
            raise disk.fault from None
        if isinstance(error, JobError):
            raise
        log.debug("a decoder refused the picture", exc_info=True)
        raise _refusal(file, error) from error
    if disk.fault is not None:
        raise disk.fault


@contextmanager
def warnings_silenced() -> Iterator[None]:
    """Silence decoders' warnings, which tell programmers of odd tags; a user cannot act on them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def check_megapixels(size: tuple[int, int], limit: float) -> None:
    """Raises JobError if a picture of `size` (width, height) has more than `limit` million pixels."""
    megapixels = size[0] * size[1] / 1e6
    if megapixels > limit:
        raise JobError(
            f"It is too large: {size[0]} x {size[1]} pixels are {_figure(megapixels)} megapixels,"
            f" and the limit is {_figure(limit)}.",
            "Drop a smaller version of it, or raise max_megapixels in config.yaml.",
        )


def _figure(number: float) -> str:
    return f"{number:,.2f}".rstrip("0").rstrip(".")


def refuse_raw(image: Image.Image) -> None:
    """Raises JobError if a TIFF is a camera's RAW file, whose first picture is only a thumbnail."""
    tags = getattr(image, "tag_v2", {})
    is_dng, is_reduced, has_more = 50706 in tags, tags.get(254) == 1, 330 in tags
    if is_dng or (is_reduced and has_more):
        raise JobError("It is a camera's RAW file.", EXPORT)


def breaks_off(kind: str) -> JobError:
    """For a picture of this kind whose end is missing."""
    return JobError(f"The {kind} picture breaks off before its end.", COPY_AGAIN)


def has_a_hole(kind: str) -> JobError:
    """For a picture of this kind that has its beginning and its end."""
    return JobError(f"A part of the {kind} picture is missing or damaged.", COPY_AGAIN)


class _Disk(io.RawIOBase):
    """A file that remembers an error of the disk, and hides its descriptor, so that decoders read through it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.fault: OSError | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the type that BufferedReader passes
        try:
            data = self._file.read(len(buffer))
        except OSError as error:
            self.fault = error
            raise
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        # A damaged file may point anywhere; a seek that the system refuses says nothing about the disk.
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _refusal(file: BinaryIO, error: Exception) -> JobError:
    """The JobError for the picture in `file`, whose decoder raised `error`."""
    if isinstance(error, MemoryError):
        return JobError(
            "There is not enough memory to decode it.", "Drop a smaller version of it, or close other programs."
        )
    file.seek(0)
    head = file.read(512)
    if not head:
        return JobError("The file is empty.", "Copy the picture again; its transfer may have been broken off.")
    for pattern, kind, advice in OTHER_KINDS:
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            return JobError(f"It is {kind}, whatever its name says.", advice)
    ours = next((kind for pattern, kind in OUR_KINDS if re.match(pattern, head, re.DOTALL)), None)
    if ours is None:
        return _not_a_picture(head)
    if isinstance(error, EOFError) or BREAKS_OFF.search(str(error)) or _is_short(file, ours):
        return breaks_off(ours)
    if LIMIT.search(str(error)) and not isinstance(error, RecursionError):  # its parts refer to one another in a circle
        said = " ".join(str(error).split())[:200].rstrip(".")
        return JobError(f"The {ours} picture goes beyond a limit of its decoder, which says: {said}.", EXPORT)
    if UNSUPPORTED.search(str(error)):
        return JobError(f"It is a kind of {ours} that cannot be read.", EXPORT)
    if isinstance(error, UnidentifiedImageError):
        return JobError(f"It is damaged, or a kind of {ours} that cannot be read.", SAVE_AGAIN)
    return JobError(f"The {ours} picture is damaged or incomplete and cannot be decoded.", SAVE_AGAIN)


def _is_short(file: BinaryIO, kind: str) -> bool:
    """Whether a file is shorter than the lengths of its parts say."""
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    if kind == "WebP":
        return int.from_bytes(file.read(8)[4:], "little") + 8 > length
    return kind in ("AVIF", "HEIC") and max((box.end for box in boxes.top(file)), default=0) > length


def _not_a_picture(head: bytes) -> JobError:
    if not any(head):
        return JobError("It holds nothing but zeros: the file was made and never filled.", COPY_AGAIN)
    text = bytes(range(32, 127)) + b"\t\r\n\f" + bytes(range(128, 256))
    if not head.translate(None, text):
        return JobError("It is text, not a picture, whatever its name says.", KINDS)
    return JobError("It is not a picture of a kind that can be read, whatever its name says.", f"{KINDS} {EXPORT}")
