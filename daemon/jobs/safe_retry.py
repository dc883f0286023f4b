"""A second try with safe settings for a photo whose first painting was degenerate."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import TypeVar

from daemon.errors import DegeneratePainting, JobError
from daemon.transfer.recipe import Recipe

log = logging.getLogger("styled")

Painted = TypeVar("Painted")
SAFE_HISTORY = 5  # curvature pairs


def paint_with_safe_retry(paint: Callable[[Recipe], Painted], recipe: Recipe, name: object) -> Painted:
    """What `paint` makes of the recipe; where that is DegeneratePainting, of its safe settings. JobError: that, too."""
    try:
        return paint(recipe)
    except DegeneratePainting as flaw:
        log.warning("%s: %s It is painted once more, with safe settings.", name, flaw.reason)
    try:
        return paint(safe(recipe))
    except DegeneratePainting as flaw:
        raise JobError(f"{flaw.reason} A second try with safe settings did no better.", flaw.advice) from None


def safe(recipe: Recipe) -> Recipe:
    """The preset's own balance from the photo itself, in shorter memory of the way; the look stays the user's."""
    history = min(recipe.history, SAFE_HISTORY)
    return dataclasses.replace(
        recipe, style_weight=1.0, content_weight=1.0, smoothness=1.0, start="content", history=history
    )
