"""The settings that a daemon runs with, which the daemon keeps in its root: commands use them while config.yaml is
wrong."""

import contextlib
import json
import re
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from daemon.config.checks import absolute
from daemon.config.load import LARGEST
from daemon.config.models import Config
from daemon.config.yaml_text import parse_yaml
from daemon.errors import ConfigError

NAME = "work/settings.json"  # below the root
SERVICE_ROOT = Path("/var/lib/styled")  # the service's, if its config.yaml cannot be read
ROOT_LINE = re.compile(r"^root:[ \t]+(?P<quote>['\"]?)(?P<path>.+?)(?P=quote)[ \t]*(#.*)?$", re.MULTILINE)


class Saved(NamedTuple):
    """What a daemon took from the config.yaml at `path`."""

    path: Path
    config: Config


def as_text(saved: Saved) -> str:
    """The settings on one line, without hooks, which may hold passwords: everybody in the group may read the file."""
    settings = saved.config.model_dump(mode="json", exclude={"hooks"}, exclude_none=True)
    return json.dumps({"path": str(saved.path.absolute()), "settings": settings}) + "\n"


def saved_for(path: Path) -> Config | None:
    """What the last daemon took from the config.yaml at `path`; None if nothing is known of it. The file at `path` may
    be wrong in any way; the files that it names are not looked at."""
    for root in likely_roots(path):
        found = read(root)
        if found is not None and found.path == path.absolute():
            return found.config
    return None


def read(root: Path) -> Saved | None:
    """What the last daemon on this root kept; None if it kept nothing that this version understands."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, ValidationError):
        with (root / NAME).open("rb") as file:
            found = json.loads(file.read(LARGEST))
        config = Config.model_validate(found["settings"], context={"folder": root, "unseen": True})
        return Saved(Path(found["path"]), config)
    return None


def likely_roots(path: Path) -> list[Path]:
    """Where the config.yaml at `path` puts its folders, as far as it can be read, and where it does by default."""
    here = path.absolute().parent
    raw = b""
    with contextlib.suppress(OSError, ValueError), path.open("rb") as file:
        raw = file.read(LARGEST)
    named = None
    try:
        named = parse_yaml(raw, "", LARGEST)[0].get("root")
    except ConfigError:
        if line := ROOT_LINE.search(raw.decode(errors="replace")):
            named = line["path"]
    roots = [here, SERVICE_ROOT]
    with contextlib.suppress(ValueError):
        roots.insert(0, absolute(named, here, ""))
    return roots
