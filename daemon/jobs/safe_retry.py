"""A second try with safe settings for a photo whose first painting was degenerate."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import TypeVar

from daemon.errors import DegeneratePainting, JobError
from daemon.events import Event, about
from daemon.transfer.recipe import Recipe

log = logging.getLogger("styled")

Painted = TypeVar("Painted")
SAFE_HISTORY = 5  # curvature pairs


def paint_with_safe_retry(paint: Callable[[Recipe], Painted], recipe: Recipe, name: object) -> Painted:
    """What `paint` returns for the recipe or, if it raises DegeneratePainting, for the recipe's safe settings. Raises
    JobError if the second painting is degenerate, too."""
    try:
        return paint(recipe)
    except DegeneratePainting as flaw:
        extra = about(Event.SECOND_TRY)
        log.warning("%s: %s It is painted once more, with safe settings.", name, flaw.reason, extra=extra)
    try:
        return paint(safe(recipe))
    except DegeneratePainting as flaw:
        raise JobError(f"{flaw.reason} A second try with safe settings did no better.", flaw.advice) from None


def safe(recipe: Recipe) -> Recipe:
    """The recipe with the preset's balance, a start from the photo and a shorter history; other settings stay the
    user's."""
    history = min(recipe.history, SAFE_HISTORY)
    return dataclasses.replace(
        recipe, style_weight=1.0, content_weight=1.0, smoothness=1.0, start="content", history=history
    )
