"""The child's side of a reader: decode photos, store paintings. Runs in reader processes, alone with Pillow."""

import contextlib
import os
import resource
from pathlib import Path
from typing import Any

from daemon.pictures.film import film
from daemon.pictures.masks import masked
from daemon.pictures.probing import probe
from daemon.pictures.reading import read
from daemon.pictures.thumbnails import LARGEST_MEGAPIXELS, sketch, sketch_file
from daemon.pictures.writing import verify, write
from daemon.previews import Thumbnails
from daemon.processes.child_process import catch_output
from daemon.processes.readers import Photo
from daemon.processes.shared_array import SharedArray
from daemon.storage.files import Handle
from daemon.transfer.steps import Frame

BASE_BYTES = 1 << 30  # of address space; the interpreter and its libraries take 172 MiB
BYTES_PER_PIXEL = 48  # of address space; measured: 15 (HEIC, scaled) to 30 (WebP with alpha, in full)
CPU_SECONDS = 300  # of processor time for a call, in all threads; the largest allowed photo takes a tenth
USUAL_MEGAPIXELS = 200.0  # for calls that have no limit of their own


class ReaderProcess:
    """The object that a reader process holds. For its methods see Readers."""

    ready_info = None
    answers_with = (OSError,)  # errors of the disk, after which the process goes on

    def __init__(self) -> None:
        catch_output("a decoder")  # messages of libtiff, libjpeg and other libraries

    def probe(self, file: Handle) -> tuple[str, int, int]:
        _limit(USUAL_MEGAPIXELS)
        with file.file() as stream:
            return probe(stream)

    def read(self, file: Handle, limits: dict[str, Any]) -> Photo:
        _limit(limits["max_megapixels"])
        with file.file() as stream:
            picture = read(stream, **limits)
        alpha = SharedArray.of(picture.alpha) if picture.alpha is not None else None
        return Photo(SharedArray.of(picture.pixels), alpha, picture.format, picture.metadata)

    def masked(
        self, painting: SharedArray, photo: SharedArray, mask: Handle, max_megapixels: float, name: str
    ) -> SharedArray:
        _limit(max_megapixels)
        with mask.file() as stream:
            blend = masked(painting.array(), photo.array(), stream, max_megapixels=max_megapixels, name=name)
        return SharedArray.of(blend)

    def store(
        self, painting: SharedArray, photo: Photo, file: Handle, path: Path, settings: dict[str, Any]
    ) -> Thumbnails:
        _limit(max(USUAL_MEGAPIXELS, photo.size[0] * photo.size[1] / 1e6))
        pixels, alpha = painting.array(), photo.alpha.array() if photo.alpha else None
        with file.file("wb") as stream:
            write(stream, pixels, alpha, **settings)
            os.fsync(stream.fileno())
        with Handle.open(path, os.O_RDONLY).file() as stored:
            verify(stored, photo.size)
        return sketch(pixels, photo.pixels.array())

    def film(self, frames: tuple[Frame, ...], painting: SharedArray) -> bytes:
        return film(frames, painting.array())

    def sketch_file(self, painting: Handle, photo: Handle | None) -> Thumbnails:
        _limit(LARGEST_MEGAPIXELS)
        with contextlib.ExitStack() as files:
            stream = files.enter_context(painting.file())
            return sketch_file(stream, files.enter_context(photo.file()) if photo else None)


def _limit(max_megapixels: float) -> None:
    """Limit this process's memory to what a photo of `max_megapixels` needs, and its processor time until the next
    call. A file that needs more memory is then refused without harm to the machine; a file that keeps the decoder busy
    for ever ends this process, even if the daemon no longer waits for it."""
    most = BASE_BYTES + int(max_megapixels * 1e6 * BYTES_PER_PIXEL)
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + CPU_SECONDS
    for limit, value in ((resource.RLIMIT_AS, most), (resource.RLIMIT_CPU, seconds)):
        with contextlib.suppress(ValueError, OSError):  # the user's own limit is lower
            resource.setrlimit(limit, (value, resource.getrlimit(limit)[1]))
