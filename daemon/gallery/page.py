"""The gallery's page: rows of plain data in a template that draws them. Names are data in it and never markup."""

import base64
import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any
from urllib.parse import quote

from daemon.assets import GALLERY_PAGE
from daemon.provenance import Provenance, own_settings, summed
from daemon.text import escape
from daemon.transfer.steps import EvaluationRun

LEVELS = "0123456789abcdefghijklmnopqrstuvwxyz"  # of a loss curve, low to high


@dataclass(frozen=True, slots=True)
class Row:
    """One painting, as the page shows it."""

    id: str  # of its thumbnails
    name: str  # for a person to read
    style: str
    link: str  # percent-encoded, below outbox/
    width: int
    height: int
    at: int  # when it was delivered, seconds since 1970
    seconds: float  # of painting
    recipe: str
    steps: int
    first: float  # loss
    loss: float  # … of the last step
    curve: str  # the losses between, by their logarithms
    terms: str = ""  # the loss is the sum of, by name, and …
    shares: str = ""  # … how much of it each is, per cent
    way: str = ""  # whole, or in tiles
    before: bool = False  # whether there is a picture of the photo

    @classmethod
    def of(cls, name: str, path: str, at: float, record: Provenance, size: tuple[int, int]) -> "Row":
        """`path`: the painting's, below outbox/."""
        parts, terms = path.split(os.sep), summed(record.terms)
        total = sum(terms.values()) or 1.0
        return cls(
            id=name,
            name=escape(os.sep.join(parts[1:]) or path),
            style=escape(parts[0]),
            link=quote(os.fsencode(path)),
            width=size[0],
            height=size[1],
            at=round(at),
            seconds=round(record.seconds, 1),
            recipe=escape(", ".join(own_settings(record.recipe))),
            steps=record.steps,
            first=record.curve[0] if record.curve else 0.0,
            loss=float(f"{record.loss:.4g}"),
            curve=_levels(record.curve),
            terms=escape(", ".join(terms)),
            shares=" ".join(str(round(100 * loss / total)) for loss in terms.values()),
            way=_way(record.stretches),
        )

    @classmethod
    def load(cls, said: dict[str, Any]) -> "Row":
        """From JSON that anyone may have changed. ValueError, TypeError, KeyError: it is no row."""
        kinds: dict[str, Callable[[Any], Any]] = {"str": str, "int": int, "float": float, "bool": bool}
        row = cls(**{each.name: kinds[getattr(each.type, "__name__", "")](said[each.name]) for each in fields(cls)})
        if not re.fullmatch(r"[0-9A-Za-z-]{1,64}", row.id):
            raise ValueError("it names a file that is no thumbnail")
        return row


def render(rows: Sequence[Row], now: float) -> str:
    """The whole page, in the order of `rows`."""
    styles, recipes, terms, ways = (
        _table([getattr(row, name) for row in rows]) for name in ("style", "recipe", "terms", "way")
    )
    data = {
        "at": round(now),
        "styles": list(styles),
        "recipes": list(recipes),
        "terms": [each.split(", ") for each in terms],
        "ways": list(ways),
        "rows": [_packed(row, styles, recipes, terms, ways) for row in rows],
    }
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    before, after = _template()
    return f"{before}{text}{after}"


@cache
def _template() -> tuple[str, str]:
    """The page before and after its data. Its policy lets nothing run but the script it ships with."""
    text = GALLERY_PAGE.read_text(encoding="utf-8")
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    before, after = text.replace("SCRIPT-HASH", f"sha256-{digest}").split("DATA-GOES-HERE")
    return before, after


def _table(values: Sequence[str]) -> dict[str, int]:
    return {value: number for number, value in enumerate(sorted(set(values)))}


def _packed(
    row: Row, styles: dict[str, int], recipes: dict[str, int], terms: dict[str, int], ways: dict[str, int]
) -> list[object]:
    """In the order in which the template's script unpacks it."""
    finite = [number if math.isfinite(number) else 0 for number in (row.seconds, row.first, row.loss)]
    return [
        row.id,
        row.name,
        styles[row.style],
        row.link,
        row.width,
        row.height,
        row.at,
        finite[0],
        recipes[row.recipe],
        row.steps,
        finite[1],
        finite[2],
        row.curve,
        terms[row.terms],
        row.shares,
        ways[row.way],
        int(row.before),
    ]


def _way(stretches: Sequence[EvaluationRun]) -> str:
    """How the last of it was computed."""
    side = stretches[-1].side if stretches else None
    return "whole" if side is None else f"in tiles of {side} px"


def _levels(losses: Sequence[float]) -> str:
    """Each loss as one of 36 levels between the least and the greatest, by their logarithms."""
    logs = [math.log(loss) if loss > 0 and math.isfinite(loss) else None for loss in losses]
    known = [value for value in logs if value is not None]
    if not known:
        return ""
    low, span = min(known), max(known) - min(known) or 1.0
    return "".join(LEVELS[round(((value if value is not None else low) - low) / span * 35)] for value in logs)
