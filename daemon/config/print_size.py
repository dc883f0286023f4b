"""`size: 30x20cm@300dpi`: a painting as large as a print."""

import re
from dataclasses import dataclass

MILLIMETRES = {"mm": 1.0, "cm": 10.0, "in": 25.4}
SHEETS = {"a0": (1189, 841), "a1": (841, 594), "a2": (594, 420), "a3": (420, 297), "a4": (297, 210), "a5": (210, 148)}
MOST_DPI = 2400
_PRINT = re.compile(
    r"(?:(?P<sheet>a[0-5])|(?P<a>[0-9.]+)\s*[x×]\s*(?P<b>[0-9.]+)\s*(?P<unit>mm|cm|in))\s*@\s*(?P<dpi>[0-9]+)\s*(?:dpi)?"
)


@dataclass(frozen=True, slots=True)
class PrintSize:
    """A sheet of paper in pixels, and the pixels per inch."""

    long: int
    short: int
    dpi: int

    def long_side(self, width: int, height: int) -> int:
        """The long side in pixels of a picture of this shape that is as large as the paper allows, turned to fit."""
        return max(1, round(min(self.long, self.short * max(width, height) / min(width, height))))


def print_size(text: str) -> PrintSize | None:
    """The size that `text` names, such as 30x20cm@300dpi or A4@300dpi; None if `text` is no print size, or its numbers
    fit no print."""
    found = _PRINT.fullmatch(text.strip().lower())
    if found is None:
        return None
    dpi = int(found["dpi"])
    try:
        if found["sheet"]:
            sides = [float(side) for side in SHEETS[found["sheet"]]]
        else:
            sides = [float(found[name]) * MILLIMETRES[found["unit"]] for name in ("a", "b")]
    except ValueError:  # 1.2.3
        return None
    long, short = (round(side / 25.4 * dpi) for side in sorted(sides, reverse=True))
    return PrintSize(long, short, dpi) if short >= 16 and long <= 100_000 and 1 <= dpi <= MOST_DPI else None
