"""What a photographer is told of a picture that is painted all the same."""

import logging

from daemon.events import Event, about

log = logging.getLogger("styled")


def note(text: str) -> None:
    """Log `text`, which goes on "photo.jpg: …"."""
    log.warning("%s", text, extra=about(Event.PICTURE_NOTE))
