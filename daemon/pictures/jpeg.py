"""JPEG: the pixels, and the decoder's complaints, which Pillow does not pass on.

simplejpeg is libjpeg-turbo's own decoder, as Pillow's is: the same pixels in the same time. It also says what the
decoder had to guess, and that is how a hole in a file is told from a sound file.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageChops

from daemon.errors import JobError
from daemon.pictures.refusals import breaks_off, has_a_hole

MOST_SCANS = 100  # of a progressive JPEG; usual ones have 10. Each takes the time of a whole decoding
SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
END = b"\xff\xd9"
DAMAGE = re.compile(r"^Corrupt JPEG data|remature end|progression sequence")  # Pillow finds all other fatal errors
LEFT_OVER = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
FEW = 4  # bytes left over before the end, as some cameras leave them; a hole leaves hundreds
AHEAD = 8  # bytes that the decoder may have read before it complains of the rest
ROW = bytes(32)
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers of a header with size and components
PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
MARKER = re.compile(rb"\xff[^\x00\xff]")
BEHIND_A_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


def load(image: Image.Image, data: BinaryIO) -> Image.Image:
    """The pixels of a JPEG that Pillow has opened, at the size of its draft. Raises JobError if a part is missing."""
    data.seek(0)
    blob = data.read()
    scans, is_complete = _scans(blob)
    if scans > MOST_SCANS:
        raise JobError(
            f"It is a JPEG of {scans} passes, and the limit is {MOST_SCANS}.",
            "Save it again in a photo editor, not as a progressive JPEG.",
        )
    if not is_complete:
        raise breaks_off("JPEG")
    pixels = _decoded(blob, image.mode, image.size)
    if pixels is None:
        data.seek(0)
        image.load()
        return image if image.mode != "CMYK" or "adobe" in image.info else ImageChops.invert(image)
    if image.mode == "CMYK":  # files with Adobe's mark hold the negative of the ink
        return Image.fromarray(255 - pixels if "adobe" in image.info else pixels, "CMYK")
    return Image.fromarray(pixels)


def _decoded(blob: bytes, mode: str, size: tuple[int, int]) -> NDArray[np.uint8] | None:
    """(H, W) or (H, W, channels). `size`: the least size at which to decode. None: a kind of JPEG that simplejpeg does
    not know, such as a rare subsampling of CMYK; Pillow may know it."""
    settings = {"colorspace": SPACES[mode], "min_width": size[0], "min_height": size[1]}
    try:
        pixels = simplejpeg.decode_jpeg(blob, **settings)
    except ValueError as error:
        complaint = str(error)
    else:
        if _holds_zeros(blob, at_end=True):
            raise has_a_hole("JPEG")
        return _channels(pixels)
    if _is_padding(blob, complaint) and not _holds_zeros(blob, at_end=False):
        return _channels(simplejpeg.decode_jpeg(blob, **settings, strict=False))
    mended = _mended(blob)
    if mended != blob:
        return _decoded(mended, mode, size)
    if not DAMAGE.search(complaint):
        return None
    raise breaks_off("JPEG") if "remature end" in complaint else has_a_hole("JPEG")


def _channels(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def _is_padding(blob: bytes, complaint: str) -> bool:
    """Whether the bytes that the decoder did not need are only fill before the end. In a hole it reads zeros, too."""
    found = LEFT_OVER.search(complaint)
    if not found:
        return False
    end = next((start for marker, start, _ in _parts(blob) if marker == 0xD9), len(blob))
    fill = end - len(blob[:end].rstrip(b"\0\xff"))
    left = int(found[1])
    return fill <= left + AHEAD and (left <= FEW or left <= fill)


def _holds_zeros(blob: bytes, at_end: bool) -> bool:
    """Whether a row of zeros stands among pixels whose codes make no picture of zeros: a small hole may by chance bring
    as many pixels as were lost, and then the decoder does not complain. `at_end`: also right before the end of a pass,
    where zeros are fill if the decoder did not need them.

    The first code of a Huffman table is all zeros. Where it ends a block, or a row of blocks, zeros are a flat area;
    where it does not, zeros are one value again and again at all frequencies, which no picture has.
    """
    if ROW not in blob:
        return False
    first: dict[int, int] = {}  # what the first code of each table for AC means
    is_progressive = False
    for marker, start, end in _parts(blob):
        part = blob[start:end]
        if marker in FRAMES:
            is_progressive = marker in PROGRESSIVE
        elif marker == 0xC4:
            first.update(_first_codes(part[4:]))
        elif marker == 0xDA and len(part) >= 8 and blob.find(ROW, end) >= 0:
            codes = {first.get(part[6 + 2 * i] & 15, 1) for i in range(min(part[4], 4)) if 6 + 2 * i < len(part)}
            # Zeros of DC are a flat area, too; further bits of what is known are zeros in regular patterns.
            says_nothing = is_progressive and (part[-3] == 0 or part[-1] >> 4 > 0)
            if says_nothing or all(code & 15 == 0 and code < 0xF0 for code in codes):
                continue
            behind = BEHIND_A_SCAN.search(blob, end)
            pixels = blob[end : behind.start() if behind else len(blob)]
            if ROW in (pixels if at_end else pixels.rstrip(b"\0")):
                return True
    return False


def _first_codes(tables: bytes) -> Iterator[tuple[int, int]]:
    """(number, meaning of the first code) of each table for AC (ITU-T T.81, B.2.4.2)."""
    place = 0
    while place + 17 < len(tables):
        if tables[place] >> 4 == 1:
            yield tables[place] & 15, tables[place + 17]
        place += 17 + sum(tables[place + 1 : place + 17])


def _mended(blob: bytes) -> bytes:
    """`blob` with a header that the decoder knows, nothing between the parts of the header, and an end."""
    out, is_baseline = [b"\xff\xd8"], False
    for marker, start, end in _parts(blob):
        part = bytearray(blob[start:end])
        if marker == 0xDA:
            if is_baseline:
                part[-3:] = b"\0\x3f\0"  # all frequencies, all bits: some cameras write other values, but mean these
            out += [bytes(part), blob[end:]]
            break
        is_baseline |= marker in (0xC0, 0xC1)
        if marker == 0xE0 and part[4:9] == b"JFIF\0":
            part[9:10] = b"\1"  # the version: newer ones are read as version 1
        if marker == 0xEE and part[4:9] == b"Adobe" and len(part) > 15 and part[15] > 2:
            part[15] = 1  # as the decoder takes a transform that it does not know
        out.append(bytes(part))
    is_ended = any(marker == 0xD9 for marker, _, _ in _parts(blob))
    return b"".join(out if is_ended else [*out, END])


def _scans(blob: bytes) -> tuple[int, bool]:
    """How many passes there are, and whether they bring all that the header announces: a decoder makes a picture of the
    first passes, too. Each component has 64 frequencies, which a progressive file may bring in several passes, bit by
    bit (ITU-T T.81, B.2.3 and G.1.1). A file with all components in its only pass is not searched through."""
    count, is_progressive, left = 0, False, {0: set(range(64))}
    for marker, start, end in _parts(blob):
        part = blob[start:end]
        if marker in FRAMES and len(part) > 9:
            is_progressive = marker in PROGRESSIVE
            left = {part[10 + 3 * i]: set(range(64)) for i in range(part[9]) if 10 + 3 * i < len(part)}
        if marker != 0xDA or len(part) < 8:
            continue
        count += 1
        first, last, bits = part[-3:]
        for component in part[5 : 5 + 2 * part[4] : 2]:
            if bits & 15 == 0 or not is_progressive:
                left.get(component, set()).difference_update(range(first, last + 1) if is_progressive else range(64))
        if count == 1 and not is_progressive and not any(left.values()):
            break
    return count, not any(left.values())


def _parts(blob: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of each part up to the end of the picture. The part of a scan ends before its pixels."""
    place = 2
    while found := MARKER.search(blob, place):
        start, marker = found.start(), blob[found.start() + 1]
        if marker == 0xD9:
            yield marker, start, start + 2
            return
        bare = marker == 0x01 or 0xD0 <= marker <= 0xD8
        place = start + 2 + (0 if bare else int.from_bytes(blob[start + 2 : start + 4], "big"))
        if not bare:
            yield marker, start, place
        if marker == 0xDA:
            behind = BEHIND_A_SCAN.search(blob, place)
            place = behind.start() if behind else len(blob)
