"""What runs in a reader process: decode, encode and verify, given open files."""

import contextlib
import os
import resource
from collections.abc import Callable
from typing import Any

from daemon.previews import Thumbnails
from daemon.processes.child_process import catch_output
from daemon.processes.readers import Photo
from daemon.processes.shared_array import SharedArray
from daemon.storage.files import Handle

BASE_BYTES = 1 << 30  # of address space; the interpreter and its libraries take 172 MiB
BYTES_PER_PIXEL = 48  # … and for each pixel; measured: 15 (HEIC, scaled) to 30 (WebP with alpha, in full)


class ReaderProcess:
    """What lives in a reader process."""

    hello = None
    answers_with = (OSError,)  # the disk's trouble, which is no reason to end

    def __init__(self) -> None:
        catch_output("a decoder")  # libtiff, libjpeg and the like

    def read(self, file: Handle, limits: dict[str, Any], progress: Callable[..., None]) -> Photo:
        from daemon import pictures

        _limit_memory(limits["max_megapixels"])
        with file.file() as stream:
            picture = pictures.read(stream, **limits)
        alpha = SharedArray.of(picture.alpha) if picture.alpha is not None else None
        pixels = SharedArray.of(picture.pixels)
        return Photo(pixels, alpha, picture.format, picture.metadata, picture.original_size)

    def masked(
        self,
        painting: SharedArray,
        photo: SharedArray,
        mask: Handle,
        max_megapixels: float,
        progress: Callable[..., None],
    ) -> SharedArray:
        from daemon import pictures

        _limit_memory(max_megapixels)
        with mask.file() as stream:
            blend = pictures.masked(painting.array(), photo.array(), stream, max_megapixels=max_megapixels)
        return SharedArray.of(blend)

    def probe(self, file: Handle, progress: Callable[..., None]) -> tuple[str, int, int]:
        from daemon import pictures

        with file.file() as stream:
            return pictures.probe(stream)

    def write(
        self,
        file: Handle,
        pixels: SharedArray,
        alpha: SharedArray | None,
        settings: dict[str, Any],
        progress: Callable[..., None],
    ) -> None:
        from daemon import pictures

        with file.file("wb") as stream:
            pictures.write(stream, pixels.array(), alpha.array() if alpha else None, **settings)
            stream.flush()
            os.fsync(stream.fileno())

    def verify(self, file: Handle, size: tuple[int, int], progress: Callable[..., None]) -> None:
        from daemon import pictures

        with file.file() as stream:
            pictures.verify(stream, size)

    def sketch(self, painting: SharedArray, photo: SharedArray, progress: Callable[..., None]) -> Thumbnails:
        from daemon import pictures

        return pictures.sketch(painting.array(), photo.array())

    def sketch_file(self, painting: Handle, photo: Handle | None, progress: Callable[..., None]) -> Thumbnails:
        from daemon import pictures

        with contextlib.ExitStack() as files:
            stream = files.enter_context(painting.file())
            return pictures.sketch_file(stream, files.enter_context(photo.file()) if photo else None)


def _limit_memory(max_megapixels: float) -> None:
    """No picture within `max_megapixels` needs more; a file that claims so is refused for want of memory, and the
    machine does not notice."""
    with contextlib.suppress(ValueError, OSError):  # under a lower limit of the user's own
        most = BASE_BYTES + int(max_megapixels * 1e6 * BYTES_PER_PIXEL)
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))
