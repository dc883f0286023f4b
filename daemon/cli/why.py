"""`styled why FILE`: what became of a file, or what the file waits for. Reads the folders and changes nothing."""

import contextlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from daemon.config.models import Config
from daemon.errors import JobError
from daemon.filenames import EVERY_STYLE, OUTPUT_EXTENSIONS, composed
from daemon.inbox.scan import InboxScan, Kind, ScanEntry
from daemon.storage.folder import Folder
from daemon.storage.layout import Folders
from daemon.text import escape

REASON = ".txt"
MOST = 16_384  # bytes of a reason
PAINTINGS = [each for extensions in OUTPUT_EXTENSIONS.values() for each in extensions]


def why(file: str, config: Config, status: Mapping[str, Any]) -> Iterator[str]:
    """Lines for a person; `status`: see read_status. Raises JobError if the file is in none of the folders."""
    folders = Folders(config.root)
    wanted = _wanted(file, folders, config.default_style)
    below = [path.partition("/")[2] for path in wanted if path.startswith(f"{EVERY_STYLE}/")]
    below += [] if os.path.dirname(file) else [file]  # a bare name, wherever it lies
    wanted |= {os.path.join(style, path) for path in below for style in config.styles}  # its copies
    lines = [
        *_in_inbox(wanted, folders, config, status),
        *_in_work(wanted, folders, status),
        *_failed(wanted, folders),
        *_delivered(wanted, folders),
    ]
    if not lines:
        raise JobError(
            f"{file}: nothing is known of this file under {folders.root}.",
            "Write its style and its name, as in inbox/, outbox/, failed/ or done/: styled why starry/photo.jpg",
        )
    yield from lines


def _wanted(file: str, folders: Folders, default: str) -> set[str]:
    """The paths below the folders, style first, that `file` may mean."""
    for path in (Path(os.path.abspath(file)), folders.root / os.path.normpath(file)):  # from here, or from the root
        for folder in folders.all:
            for base in {folder, Path(os.path.realpath(folder))}:
                if path.is_relative_to(base) and path != base:
                    below = str(path.relative_to(base))
                    own = below.removesuffix(".txt") if folder == folders.failed else below
                    return {own, os.path.join(default, below)}
    below = os.path.normpath(file)
    return {below, os.path.join(default, below)}


def _in_inbox(wanted: set[str], folders: Folders, config: Config, status: Mapping[str, Any]) -> Iterator[str]:
    seen = {composed(each) for each in wanted}
    with contextlib.suppress(OSError):
        for entry in InboxScan(folders.inbox, config.inbox_folders, config.default_style):
            if composed(os.path.relpath(entry.path, folders.inbox)) in seen:
                yield f"in the inbox: {_waits(entry, status) if entry.kind is Kind.PHOTO else entry.description}"


def _waits(entry: ScanEntry, status: Mapping[str, Any]) -> str:
    """What a photo in the inbox waits for."""
    if status["state"] == "not running":
        return f"{entry.why}, but no daemon runs: styled run"
    if why := status.get("paused", {}).get(escape(os.path.dirname(entry.path))):
        return f"{entry.why}, but not now: {why}; tried again by itself"
    name = escape(entry.path)  # as status.json spells names
    for growing in status.get("growing", []):
        if growing["file"] == name:
            return f"not complete yet: {growing['why']} ({growing['seconds']:.0f} s ago)"
    queue, total = status.get("next", []), sum(status["waiting"].values())
    if name in queue:
        return f"{entry.why}: number {queue.index(name) + 1} of {total} that wait"
    return f"{entry.why}: after the first {len(queue)} of {total} that wait" if queue else f"{entry.why}: just arrived"


def _in_work(wanted: set[str], folders: Folders, status: Mapping[str, Any]) -> Iterator[str]:
    for record in sorted(folders.work.glob("*/job.json")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            job = json.loads(record.read_text())
            below = os.path.join(job["style"], job["folder"], job["name"])
            if composed(below) in map(composed, wanted):
                stages = [each["stage"] for each in status.get("jobs", []) if each["file"] == escape(below)]
                yield f"in work: {stages[0] if stages else 'the daemon goes on with this photo at its next start'}"


def _failed(wanted: set[str], folders: Folders) -> Iterator[str]:
    for folder, name in _found(folders, folders.failed, sorted(wanted)):
        yield f"failed: {folder.path / name}"
        with contextlib.suppress(OSError):
            file = folder.file(name + REASON)
            text = os.pread(file.fd, MOST, 0).decode("utf-8", "replace")
            yield from (f"  {line}" for line in text.splitlines() if line)


def _delivered(wanted: set[str], folders: Folders) -> Iterator[str]:
    for below in sorted(wanted):
        paintings = [os.path.splitext(below)[0] + ending for ending in PAINTINGS]
        for folder, name in _found(folders, folders.outbox, paintings):
            yield f"delivered: {folder.path / name}"
        for folder, name in _found(folders, folders.done, [below]):
            yield f"its original: {folder.path / name}"


def _found(folders: Folders, top: Path, names: Iterable[str]) -> Iterator[tuple[Folder, str]]:
    """The regular files below `top`, each with its open folder; names are equal as people see them."""
    for place in (folders.spelled(top / below) for below in names if ".." not in Path(below).parts):
        with contextlib.suppress(OSError), folders.enter(place.parent) as folder:
            if place != top and stat.S_ISREG(folder.stat(place.name).st_mode):
                yield folder, place.name
