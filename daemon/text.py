"""Words for a person: lists of choices, durations, quotations, and text that is safe to print."""

import difflib
from collections.abc import Iterable, Mapping

LONGEST_GUESS = 100  # characters of a name that is compared with the known ones


def escape(name: str) -> str:
    """The name as one line of harmless text: control characters, direction marks and broken bytes as escapes."""
    if name.isprintable() and "\\" not in name:
        return name
    return "".join(_shown(character) for character in name)


def _shown(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as surrogateescape keeps it
        return f"\\x{code - 0xDC00:02x}"
    if character.isprintable() and character != "\\":
        return character
    return character.encode("unicode_escape").decode()


def escape_lines(text: str) -> str:
    """Several lines of harmless text: all that `shown` escapes is escaped, but for the lines' ends."""
    return "\n".join(line if line.isprintable() else escape(line) for line in text.split("\n"))


def words(choices: Iterable[str], conjunction: str = "or") -> str:
    *most, last = choices
    return f"{', '.join(most)} {conjunction} {last}" if most else last


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
    """What the user wrote, short and harmless; never a whole list, which aliases can make of any size."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a group of settings"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value)
    return f"'{escape(text[:60])}{'…' if len(text) > 60 else ''}'"


def meant(name: str, known: Iterable[str]) -> str:
    """ "did you mean ink?", or "" when nothing known comes near."""
    lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name[:LONGEST_GUESS].lower(), list(lower), n=1)
    return f"did you mean {escape(lower[near[0]])}?" if near else ""
