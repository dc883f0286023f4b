"""Words for a person: lists of choices, durations, quotations, and text that is safe to print.

Used in every process; imports nothing of ours. `escape` is for a name inside a text, `one_line` and `escape_lines`
for the whole text where it leaves the program: they leave a name that was escaped before as it is.
"""

import difflib
from collections.abc import Iterable, Mapping

LONGEST_GUESS = 100  # characters of a name that is compared with the known ones


def escape(name: str) -> str:
    """The name as one line of harmless text that no other name has: a backslash is doubled."""
    return one_line(name.replace("\\", "\\\\"))


def one_line(text: str) -> str:
    """Harmless text on one line: control characters, direction marks and broken bytes become backslash escapes."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def escape_lines(text: str) -> str:
    """Several lines of harmless text: each as `one_line` makes it, and all but the first indented, so that no name with
    a line feed in it begins a line that looks like another message."""
    return "\n    ".join(map(one_line, text.split("\n")))


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as surrogateescape keeps it
        return f"\\x{code - 0xDC00:02x}"
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def words(choices: Iterable[str], conjunction: str = "or") -> str:
    """A list in a sentence: "a, b or c". ValueError if there are no choices."""
    *most, last = choices
    return f"{', '.join(most)} {conjunction} {last}" if most else last


def weighted(pairs: Iterable[tuple[object, float]]) -> str:
    """A sum for a person: "relu1_1 × 0.5 + relu3_1 × 0.5"."""
    named = ((f"{name:g}" if isinstance(name, float) else escape(str(name)), weight) for name, weight in pairs)
    return " + ".join(f"{name} × {weight:g}" for name, weight in named)


def duration(seconds: float) -> str:
    """For a person: 3.2 s, 45 s, 1 min 05 s, 2 h 10 min, 3 d 4 h."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours = minutes // 60
    return f"{hours} h {minutes % 60:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def quoted(value: object) -> str:
    """What the user wrote, in quotes: at most 60 characters, and never a whole list, which YAML aliases make huge."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a group of settings"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value)
    return f"'{escape(text[:60])}{'…' if len(text) > 60 else ''}'"


def meant(name: str, known: Iterable[str]) -> str:
    """ "did you mean ink?", or "" if `name` resembles none of the known names."""
    near = closest(name, known)
    return f"did you mean {escape(near)}?" if near else ""


def closest(name: str, known: Iterable[str]) -> str:
    """The known name that resembles `name` most, "" if none does."""
    lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name[:LONGEST_GUESS].lower(), list(lower), n=1)
    return lower[near[0]] if near else ""
