"""A painter that takes milliseconds."""

from collections.abc import Callable

from daemon.processes.painters import PainterInfo
from daemon.processes.shared_array import SharedArray
from daemon.transfer.recipe import Recipe
from daemon.transfer.steps import Step


class InvertingPainter:
    """The photo, inverted. A subclass says in `before` what happens first: a note, a fault."""

    ready_info = PainterInfo("cpu", "a fast test", "embedded", "", "relu5_1")

    def before(self, content: SharedArray, style: tuple[tuple[SharedArray, float], ...]) -> None:
        pass

    def paint(
        self,
        content: SharedArray,
        style: tuple[tuple[SharedArray, float], ...],
        recipe: Recipe,
        threads: int | None,
        film: bool,
        progress: Callable[..., None],
    ) -> SharedArray:
        self.before(content, style)
        progress(Step(1, 1, 0.5, 1, 1, 1.0, frame=(2, 1, b"\0" * 6) if film else None))
        return SharedArray.of(1 - content.array())
