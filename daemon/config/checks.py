"""What can be wrong with styles, their names and their pictures, in plain words."""

import os
import stat
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

from daemon.assets import STYLES
from daemon.filenames import EVERY_STYLE, ignored_reason, is_picture
from daemon.text import escape, meant, quoted, words

LONGEST_NAME = 100  # bytes of a style's name, which is also a folder's


def absolute(value: object, folder: Path, right: str) -> Path:
    """The path that `value` names, seen from `folder`. Raises ValueError, which ends with `right`, if `value` names no
    path.

    Links stay unresolved, because their targets may change, except before a `..`, where the system follows them too.
    """
    text = str(value) if isinstance(value, str | Path) else ""
    try:
        usable = b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:  # an escape can name half a surrogate pair
        usable = False
    if not text or not usable:
        raise ValueError(f"{quoted(value)} cannot be used; write {right}")
    path = folder / os.path.expanduser(text)
    return Path(os.path.realpath(path)) if ".." in path.parts else path


def file_flaw(path: Path) -> str:
    """Why `path` is not a readable file; "" if it is. Checks kind, size and rights without opening the file."""
    name = escape(str(path))
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return f"there is no file {name}"
    except OSError as error:
        return f"{name} cannot be reached ({error.strerror})"
    if not stat.S_ISREG(status.st_mode):
        return f"{name} is {'a folder, not' if stat.S_ISDIR(status.st_mode) else 'not'} a file"
    if status.st_size == 0:
        return f"{name} is empty"
    return "" if os.access(path, os.R_OK) else f"{name} cannot be read by the user that runs styled"


def style_picture(value: object, folder: Path, *, may_be_missing: bool = False) -> Path:
    """The file of `builtin:NAME` or of a path seen from `folder`. Raises ValueError if it cannot be a style picture.
    `may_be_missing`: accept a file that is not there yet or cannot be read now."""
    if isinstance(value, str) and value.startswith("builtin:"):
        return _builtin(value.removeprefix("builtin:"))
    right = f"the path of a picture (seen from {escape(str(folder))}) or builtin:NAME"
    path = absolute(value, folder, right)
    flaw = "" if may_be_missing else file_flaw(path)
    if not flaw and not is_picture(path.name):
        flaw = f"{escape(str(path))} does not end like a picture"
    if flaw:
        raise ValueError(f"{flaw}; write {right}")
    return path


def _builtin(name: str) -> Path:
    try:
        shipped = {path.stem: path for path in sorted(STYLES.iterdir()) if is_picture(path.name)}
    except OSError:
        shipped = {}
    if name not in shipped:
        way_out = f"there are {words(shipped, 'and')}" if shipped else "write the path of a picture"
        raise ValueError(f"there is no built-in picture {quoted(name)}; {meant(name, shipped) or way_out}")
    return shipped[name]


def cross_checks(data: Mapping[str, object]) -> Iterator[str]:
    """What is wrong with the styles of a config.yaml as a whole.

    Not a validator of the models: pydantic skips such a validator when any field is wrong, and every problem must be
    reported at once.
    """
    styles = data.get("styles")
    if styles is None or styles == {}:
        yield "styles: there is no style; write at least one, for example starry: {picture: builtin:starry}"
    if not isinstance(styles, dict) or not styles:
        return
    seen: dict[str, str] = {}
    for name, style in styles.items():
        place = f"styles.{escape(name)}"
        if flaw := name_flaw(name):
            yield f"{place}: {flaw}; choose another name"
        same = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        if same in seen:
            yield f"{place}: many systems cannot tell this name from {escape(seen[same])}; choose another name"
        seen.setdefault(same, name)
        if style is None or isinstance(style, dict):
            given = [key for key in ("picture", "pictures") if (style or {}).get(key) is not None]
            if not given:
                yield f"{place}: has no picture; write picture: FILE below it, or pictures: for several"
            elif len(given) == 2:
                yield f"{place}: has both picture and pictures; keep one of the two"
    default = data.get("default_style")
    if isinstance(default, str) and default != EVERY_STYLE and default not in styles:
        way_out = meant(default, styles) or f"write {words(map(escape, styles))}"
        yield f"default_style: there is no style {quoted(default)}; {way_out}"


def name_flaw(name: str) -> str:
    """Why the inbox cannot have a folder of this name; "" if it can."""
    if not name or name != name.strip():
        return "the name is empty, or begins or ends with a space"
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name):
        return "the name has a control character"
    if "/" in name:
        return "the name has a /, but a style is a single folder"
    if len(name.encode()) > LONGEST_NAME:
        return f"the name is longer than {LONGEST_NAME} bytes"
    if name.lower() == EVERY_STYLE:
        return f"inbox/{EVERY_STYLE}/ is the folder whose pictures are painted in every style"
    if name.lower() in ("index.html", "gallery.html"):
        return "this is the name of the gallery's page"
    return f"pictures in such a folder are left alone ({why})" if (why := ignored_reason(name)) else ""


_YAML = (  # a part of PyYAML's message, our message
    (r"character '\t'", "a tab; indent with spaces"),
    ("that cannot start any token", "text must not begin with this character; put it in quotes"),
    ("mapping values are not allowed", "a colon where none can be; check the indentation, or quote the text"),
    ("could not find expected ':'", "a line without its colon; write name: value"),
    ("end of stream", "a quote is opened and never closed; close it"),
    ("found '<scalar>'", "text follows a closing quote or bracket; put all of it in quotes"),
    ("expected <block end>", "the indentation does not fit the lines above; line it up with them"),
    ("expected ',' or", "a bracket is not closed, or a comma is missing; write it"),
    ("undefined alias", "an alias (*name) without its anchor (&name) above; write the anchor"),
    ("duplicate anchor", "an anchor (&name) is set twice; rename one"),
    ("another document", "a second document begins (---); keep one"),
)


def yaml_flaw(message: str) -> str:
    """PyYAML's complaint in the words of a person who knows nothing of scanners and tokens."""
    return next(
        (ours for theirs, ours in _YAML if theirs in message), f"this is not YAML ({escape(message)}); correct it"
    )
