"""Reader processes: they decode and scale photographs, and encode and verify paintings, from open files alone.

A decoder that crashes or hangs takes its own process with it, and nothing else.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from daemon.canvas import Canvas, Handle
from daemon.processes import Child, Pool

PATIENCE = 300.0  # seconds for one picture; the largest that is allowed takes a tenth of that


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

    def __init__(self, count: int) -> None:
        self.pool = Pool([Child("reader", _Reader) for _ in range(count)])

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

    def _call(self, method: str, *arguments: object) -> Any:
        with self.pool.take() as reader:
            return reader.call(method, *arguments, patience=PATIENCE)


class _Reader:
    """What lives in a reader process."""

    hello = None

    def __init__(self) -> None:
        import daemon.pictures  # noqa: F401  (loaded before the first picture needs it)

    def read(self, file: Handle, limits: dict[str, Any], progress: Callable[..., None]) -> Photo:
        from daemon import pictures

        with file.file() as stream:
            picture = pictures.read(stream, **limits)
        alpha = Canvas.of(picture.alpha) if picture.alpha is not None else None
        pixels = Canvas.of(picture.pixels)
        return Photo(pixels, alpha, picture.format, picture.metadata, picture.original_size)

    def masked(
        self, painting: Canvas, photo: Canvas, mask: Handle, max_megapixels: float, progress: Callable[..., None]
    ) -> Canvas:
        from daemon import pictures

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
