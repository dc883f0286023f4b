"""Notes for the photographer on parts of a file that are ignored; the picture itself is painted."""

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar

from daemon.events import Event, about
from daemon.text import escape

log = logging.getLogger("styled")
_picture: ContextVar[str] = ContextVar("picture", default="")


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """Within this context, notes begin with the picture's name."""
    token = _picture.set(name)
    try:
        yield
    finally:
        _picture.reset(token)


def note(text: str) -> None:
    """Log `text` behind the picture's name: "photo.jpg: …"."""
    name = _picture.get()
    log.warning("%s", f"{escape(name)}: {text}" if name else text, extra=about(Event.PICTURE_NOTE))
