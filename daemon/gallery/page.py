"""The gallery's page: a template and rows of plain data, which its script draws. Names are data, never markup."""

import base64
import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any
from urllib.parse import quote

from daemon.assets import GALLERY_PAGE
from daemon.gallery.board import SHOWN, Board, Failure
from daemon.provenance import Provenance, own_settings, summed
from daemon.text import escape
from daemon.transfer.steps import EvaluationRun

LEVELS = "0123456789abcdefghijklmnopqrstuvwxyz"  # of a curve of losses, from low to high


@dataclass(frozen=True, slots=True)
class Row:
    """A painting in the page's data."""

    id: str  # in the names of its thumbnails
    name: str  # below the folder of its style, escaped
    style: str
    link: str  # percent-encoded, below outbox/
    width: int
    height: int
    at: int  # when it was delivered, seconds since 1970
    seconds: float  # of painting
    recipe: str
    steps: int
    first: float  # the first loss
    loss: float  # the last loss
    curve: str  # the losses between, as LEVELS of their logarithms
    terms: str = ""  # the names of the loss's terms, …
    shares: str = ""  # … and the share of each in the loss, per cent
    way: str = ""  # computed whole or in tiles
    film: bool = False  # whether a film of its making lies beside it
    before: bool = False  # whether there is a thumbnail of the photo

    @classmethod
    def of(cls, name: str, path: str, at: float, record: Provenance, size: tuple[int, int]) -> "Row":
        """`name`: its id; `path`: below outbox/; `at`: seconds since 1970; `size`: width, height in px."""
        parts, terms = path.split(os.sep), summed(record.terms)
        total = sum(terms.values()) or 1.0
        return cls(
            id=name,
            name=escape(os.sep.join(parts[1:]) or path),
            style=escape(parts[0]),
            link=link_to(path),
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
    def load(cls, entry: dict[str, Any]) -> "Row":
        """A row from JSON that anybody may have changed. Raises ValueError, TypeError or KeyError if it is no row."""
        kinds: dict[str, Callable[[Any], Any]] = {"str": str, "int": int, "float": float, "bool": bool}
        entry = {"film": False, **entry}  # of a version that made no films
        row = cls(**{each.name: kinds[getattr(each.type, "__name__", "")](entry[each.name]) for each in fields(cls)})
        if not re.fullmatch(r"[0-9A-Za-z-]{1,64}", row.id):
            raise ValueError("its id is no thumbnail's")
        return row


def link_to(path: str) -> str:
    """The link to a painting, `path` below outbox/."""
    return quote(os.fsencode(path))


def render(
    rows: Sequence[Row],
    now: float,
    board: Board | None = None,
    failures: Sequence[Failure] = (),
    pictures: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The whole page, in the order of `rows`. `pictures`: the ids of the thumbnails of each style's pictures."""
    styles, recipes, terms, ways = (
        _table([getattr(row, name) for row in rows]) for name in ("style", "recipe", "terms", "way")
    )
    by_name = {escape(style): list(ids) for style, ids in (pictures or {}).items()}
    data = {
        "at": round(now),
        "styles": list(styles),
        "pictures": [by_name.get(style, []) for style in styles],
        "recipes": list(recipes),
        "terms": [each.split(", ") for each in terms],
        "ways": list(ways),
        "rows": [_packed(row, styles, recipes, terms, ways) for row in rows],
        "board": _board(board or Board(), failures),
    }
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    before, after = _template()
    return f"{before}{text}{after}"


def _board(board: Board, failures: Sequence[Failure]) -> dict[str, object]:
    return {
        "title": escape(board.title),
        "running": int(board.running),
        "working": board.working[:SHOWN],
        "waiting": board.waiting,
        "upcoming": board.upcoming[:SHOWN],
        "growing": board.growing[:SHOWN],
        "trouble": board.trouble,
        "failed": len(failures),
        "failures": [(each.name, each.reason, each.at) for each in failures[:SHOWN]],
    }


@cache
def _template() -> tuple[str, str]:
    """The parts of the page before and after its data. The page's policy allows only its own script."""
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
    """The values in the order in which the template's script unpacks them; tables of texts make the page smaller."""
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
        int(row.film),
        int(row.before),
    ]


def _way(stretches: Sequence[EvaluationRun]) -> str:
    """How the last evaluations were computed."""
    side = stretches[-1].side if stretches else None
    return "whole" if side is None else f"in tiles of {side} px"


def _levels(losses: Sequence[float]) -> str:
    """Each loss as a character of LEVELS, between the smallest and the largest, on a logarithmic scale."""
    logs = [math.log(loss) if loss > 0 and math.isfinite(loss) else None for loss in losses]
    known = [value for value in logs if value is not None]
    if not known:
        return ""
    low, span = min(known), max(known) - min(known) or 1.0
    return "".join(LEVELS[round(((value if value is not None else low) - low) / span * 35)] for value in logs)
