"""What the commands answer, in words: lines of plain text for a person. Nothing here prints."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from daemon.config.models import Config
from daemon.errors import JobError
from daemon.inbox.scan import describe
from daemon.provenance import Provenance, own_settings, picture_name, summed, ways
from daemon.storage.layout import Folders
from daemon.storage.lock import Lock
from daemon.text import duration, escape


def what_would_happen(config: Config) -> Iterator[tuple[str, str]]:
    """The path of each entry that lies in the inbox now, and its fate in words."""
    if Folders(config.root).inbox.is_dir():  # otherwise the first start makes it
        yield from describe(Folders(config.root).inbox, config.styles, config.default_style)


def read_status(root: Path) -> dict[str, Any]:
    """The board of the daemon that runs on `root`; state "not running" if none does."""
    work = Folders(root).work
    if not Lock(work / "lock").is_held():
        return {"root": str(root), "state": "not running"}
    try:
        found: dict[str, Any] = json.loads((work / "status.json").read_text())
    except (OSError, ValueError):  # it has the lock and has not said anything yet
        found = {"state": "starting", "device": "", "weights": "", "jobs": [], "waiting": {}}
        found |= {"delivered": 0, "failed": 0, "last_failure": "", "trouble": ""}
    return {"root": str(root), **found}


ALIKE = 12  # entries of a folder that `check` lists singly when all fare alike


def read_provenance(painting: Path) -> Provenance:
    """What `painting` says of itself. JobError: it is no picture, or says nothing."""
    from daemon import pictures

    try:
        with painting.open("rb") as file:
            record = pictures.read_record(file)
    except OSError as error:
        raise JobError(f"{escape(str(painting))}: {error.strerror}.", "Check the name and the rights.") from None
    if not record:
        why = "Another program may have saved it since, or it was not painted by styled."
        raise JobError(f"{escape(str(painting))} carries no record of how it was painted.", why)
    return Provenance.from_json(record)


def info_lines(record: Provenance) -> Iterator[str]:
    """How a painting was made; of the recipe only what differs from its preset."""
    versions = {"styled": record.version, **record.libraries}
    rows = [
        ("photo", f"{escape(record.source)}  (SHA-256 {escape(record.source_sha256)})"),
        ("style", escape(record.style)),
        *(("", f"{escape(p.name)} × {p.weight:g}  (SHA-256 {escape(p.sha256)})") for p in record.pictures),
        ("recipe", escape(", ".join(own_settings(record.recipe)))),
        ("size", f"{record.size[0]} x {record.size[1]}, {escape(record.format)}"),
        ("weights", f"{escape(record.weights)}  (SHA-256 {escape(record.weights_sha256)})"),
        ("steps", f"{record.steps}; {escape(ways(record.stretches))}"),
        ("loss", f"{record.loss:.6g}" + _terms(summed(record.terms))),
        *(("", f"{escape(name)} {loss:.4g}") for name, loss in record.terms.items() if name.startswith("style ")),
        ("painted", f"{escape(record.painted)} in {record.seconds:.1f} s"),
        ("device", f"{escape(record.device_name)} ({escape(record.device)}), CPU threads: {record.threads}"),
        ("versions", escape(", ".join(f"{name} {version}" for name, version in versions.items()))),
    ]
    return (f"{name:10}{value}" for name, value in rows)


def _terms(terms: Mapping[str, float]) -> str:
    said = ", ".join(f"{escape(name)} {loss:.4g}" for name, loss in terms.items())
    return f" = {said}" if said else ""


def comparison_lines(out: Path, same: bool, largest: int, differing: Sequence[str]) -> Iterator[str]:
    """How a painting that was made again compares: `largest` difference of 255, and what is not as it was then."""
    if same:
        yield f"{escape(str(out))}: the same painting, bit for bit."
        return
    yield f"{escape(str(out))}: not the same; pixels differ by up to {largest} of 255."
    for each in differing:
        yield f"  {escape(each)}"
    if not differing:
        yield "  Versions, device and threads are the same: a GPU does not promise the same bits twice."


def status_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """What a daemon is doing, by its own status."""
    if found["state"] == "not running":
        yield f"No daemon runs on {escape(found['root'])}. Start one with: styled run"
        return
    yield f"{found['state']} on {found['device'] or 'its device'} with {found['weights'] or 'its'} weights"
    for memory in found.get("memory", []):
        free = "" if memory["free"] is None else f", {memory['free'] / 2**30:.1f} GiB free"
        yield f"memory of {escape(memory['device'])}: {memory['used'] / 2**30:.1f} GiB held by its painter{free}"
    if found.get("trouble"):
        yield f"paused: {found['trouble']}"
    for job in found["jobs"]:
        step = f", step {job['step']}/{job['steps']}, loss {job['loss']:.4g}" if job["step"] else ""
        left = f", {duration(job['seconds_left'])} left" if job["seconds_left"] is not None else ""
        yield f"  {job['file']}: {job['stage']}{step}{left}"
    total = sum(found["waiting"].values())
    by_style = ", ".join(f"{escape(style)} {count:,}" for style, count in found["waiting"].items() if count)
    rate = found.get("per_hour")
    left = f", done in about {duration(total / rate * 3600)}" if rate and total else ""
    yield f"{total:,} waiting" + (f" ({by_style})" if by_style else "") + left
    for growing in found.get("growing", [])[:5]:
        yield f"  {growing['file']}: not complete yet: {growing['why']}"
    yield f"{found['delivered']:,} painted, {found['failed']:,} failed since its start"
    if counts := found.get("counts"):
        today = f"{counts['delivered_today']:,} painted, {counts['failed_today']:,} failed today"
        yield f"{today}; {counts['delivered']:,} and {counts['failed']:,} in all"
    if found["last_failure"]:
        yield f"last failure: {found['last_failure']}"


def style_lines(config: Config) -> Iterator[str]:
    """Every style with its pictures and what it sets."""
    for name, style in config.styles.items():
        default = "  (default)" if name == config.default_style else ""
        pictures = " + ".join(
            f"{escape(picture_name(each.file))}" + (f" × {each.weight:g}" if len(style.all_pictures) > 1 else "")
            for each in style.all_pictures
        )
        settings = config.settings(name)
        yield f"{escape(name)}{default}"
        yield f"  {pictures}; {', '.join(own_settings(settings.recipe))}, size {settings.size}"
        yield f"  drop into {escape(str(config.root / 'inbox' / name))}/"


def tree_lines(root: Path, entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Paths below `root` with what would become of each, as a tree; of many alike in a folder the first few."""
    folders: dict[Path, list[tuple[str, str]]] = {}
    for path, verdict in entries:
        folders.setdefault(Path(path).parent, []).append((Path(path).name, verdict))
    yield f"{escape(root.name)}/"
    if not folders:
        yield "└── nothing waits"
    yield from _branch(root, folders, {each for folder in folders for each in (folder, *folder.parents)}, "")


def _branch(
    folder: Path, folders: Mapping[Path, list[tuple[str, str]]], inner: Set[Path], before: str
) -> Iterator[str]:
    leaves: list[str] = []
    alike: Counter[str] = Counter()
    for name, verdict in sorted(folders.get(folder, [])):
        alike[verdict] += 1
        if alike[verdict] <= ALIKE:
            leaves.append(f"{escape(name)}: {verdict}")
    leaves += [f"… {count - ALIKE:,} more: {verdict}" for verdict, count in alike.items() if count > ALIKE]
    branches: list[str | Path] = [*leaves, *sorted(each for each in inner if each.parent == folder)]
    for number, branch in enumerate(branches):
        last = number == len(branches) - 1
        if isinstance(branch, str):
            yield f"{before}{'└── ' if last else '├── '}{branch}"
        else:
            yield f"{before}{'└── ' if last else '├── '}{escape(branch.name)}/"
            yield from _branch(branch, folders, inner, before + ("    " if last else "│   "))
