"""Reader processes: they decode and scale photographs, and encode and verify paintings, from open files alone.

A decoder that crashes or hangs takes its own process with it, and nothing else.
"""

import contextlib
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from daemon.canvas import Canvas, Handle
from daemon.pool import Pool
from daemon.processes import Child, catch_output
from daemon.sketch import Sketch

PAINTERS_PER_READER = 8
PATIENCE = 300.0  # seconds for one picture; the largest that is allowed takes a tenth of that
BASE_BYTES = 1 << 30  # of address space; the interpreter and its libraries take 172 MiB
BYTES_PER_PIXEL = 48  # … and for each pixel; measured: 15 (HEIC, scaled) to 30 (WebP with alpha, in full)


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded picture: `pixels` (H, W, 3) and `alpha` (H, W) in [0, 1]; sizes are (width, height), upright."""

    pixels: Canvas
    alpha: Canvas | None
    format: str
    metadata: bytes
    original_size: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[0]


class Readers:
    """A small pool of reader processes. Errors of every call: JobError, Died, Stopped, OSError of the disk."""

    def __init__(self, count: int, resident: Callable[..., Any] | None = None) -> None:
        """`resident` makes what lives in each process; what it must have, see _Reader."""
        self._resident = resident or _Reader
        self.pool = Pool([self._reader() for _ in range(count)])

    def tend(self, painters: int) -> None:
        """Have enough of them for so many painters, as far as the processor has cores."""
        wanted = min(2 + painters // PAINTERS_PER_READER, max(os.cpu_count() or 2, 2))
        while len(self.pool.children) < wanted:
            reader = self._reader()
            reader.start()
            self.pool.add(reader)

    def _reader(self) -> Child:
        return Child("reader", self._resident)

    def read(self, file: Handle, **limits: Any) -> Photo:
        """See pictures.read for the limits."""
        photo: Photo = self._call("read", file, limits)
        return photo

    def masked(self, painting: Canvas, photo: Canvas, mask: Handle, max_megapixels: float) -> Canvas:
        """The painting where the mask is white, the photo where it is black."""
        blend: Canvas = self._call("masked", painting, photo, mask, max_megapixels)
        return blend

    def probe(self, file: Handle) -> tuple[str, int, int]:
        """(format, width, height) from the header alone."""
        header: tuple[str, int, int] = self._call("probe", file)
        return header

    def write(self, file: Handle, pixels: Canvas, alpha: Canvas | None, **settings: Any) -> None:
        """Encode into `file` and fsync it; see pictures.write for the settings."""
        self._call("write", file, pixels, alpha, settings)

    def verify(self, file: Handle, size: tuple[int, int]) -> None:
        """Decode `file` whole. OSError: it does not read back as a picture of that size, which is the disk's fault."""
        self._call("verify", file, size)

    def sketch(self, painting: Canvas, photo: Canvas) -> Sketch:
        """Small copies of a painting and its photo."""
        drawn: Sketch = self._call("sketch", painting, photo)
        return drawn

    def sketch_file(self, painting: Handle, photo: Handle | None) -> Sketch:
        """The same of a painting's file, with the record that it carries, and its photo's, if it is there."""
        drawn: Sketch = self._call("sketch_file", painting, photo)
        return drawn

    def _call(self, method: str, *arguments: object) -> Any:
        with self.pool.take() as reader:
            return reader.call(method, *arguments, patience=PATIENCE)


class _Reader:
    """What lives in a reader process."""

    hello = None
    answers_with = (OSError,)  # the disk's trouble, which is no reason to end

    def __init__(self) -> None:
        catch_output("a decoder")  # libtiff, libjpeg and the like
        from daemon.pictures import masked, read, sketch, write  # noqa: F401  (loaded before a picture needs them)

    def read(self, file: Handle, limits: dict[str, Any], progress: Callable[..., None]) -> Photo:
        from daemon import pictures

        _limit_memory(limits["max_megapixels"])
        with file.file() as stream:
            picture = pictures.read(stream, **limits)
        alpha = Canvas.of(picture.alpha) if picture.alpha is not None else None
        pixels = Canvas.of(picture.pixels)
        return Photo(pixels, alpha, picture.format, picture.metadata, picture.original_size)

    def masked(
        self, painting: Canvas, photo: Canvas, mask: Handle, max_megapixels: float, progress: Callable[..., None]
    ) -> Canvas:
        from daemon import pictures

        _limit_memory(max_megapixels)
        with mask.file() as stream:
            blend = pictures.masked(painting.array(), photo.array(), stream, max_megapixels=max_megapixels)
        return Canvas.of(blend)

    def probe(self, file: Handle, progress: Callable[..., None]) -> tuple[str, int, int]:
        from daemon import pictures

        with file.file() as stream:
            return pictures.probe(stream)

    def write(
        self,
        file: Handle,
        pixels: Canvas,
        alpha: Canvas | None,
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

    def sketch(self, painting: Canvas, photo: Canvas, progress: Callable[..., None]) -> Sketch:
        from daemon import pictures

        return pictures.sketch(painting.array(), photo.array())

    def sketch_file(self, painting: Handle, photo: Handle | None, progress: Callable[..., None]) -> Sketch:
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
