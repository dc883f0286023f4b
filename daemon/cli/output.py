"""What the commands print: lines of plain text for a person. Nothing here prints, and names are not yet escaped."""

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from daemon.config.models import Config
from daemon.errors import JobError
from daemon.inbox.scan import InboxScan
from daemon.jobs.audit import Finding, Report
from daemon.provenance import Provenance, own_settings, picture_name, summed, ways
from daemon.status import Status
from daemon.storage.layout import Folders
from daemon.storage.lock import Lock
from daemon.text import duration

NOT_RUNNING = "not running"
ALIKE = 12  # most entries of a folder with the same fate that `check` lists separately


def what_would_happen(config: Config) -> Iterator[tuple[str, str]]:
    """The path of each entry in the inbox, and what would happen to the entry, in words."""
    inbox = Folders(config.root).inbox
    if inbox.is_dir():  # otherwise the first start makes it
        yield from (
            (each.path, each.description) for each in InboxScan(inbox, config.inbox_folders, config.default_style)
        )


def read_status(root: Path) -> dict[str, Any]:
    """The status of the daemon that runs on `root` (see Status.as_dict); its state is NOT_RUNNING if no daemon runs."""
    work = Folders(root).work
    if not Lock(work / "lock").is_held():
        return {"root": str(root), "state": NOT_RUNNING}
    found = Status().as_dict()  # for a daemon that has not written its status yet, or an older daemon
    with contextlib.suppress(OSError, ValueError, TypeError):
        found |= json.loads((work / "status.json").read_text())
    return {"root": str(root), **found}


def read_provenance(painting: Path) -> Provenance:
    """The record in a painting's file. Raises JobError if the file is no picture or has no record."""
    from daemon.pictures.xmp import read_record

    try:
        with painting.open("rb") as file:
            record = read_record(file)
    except OSError as error:
        raise JobError(f"{painting}: {error.strerror}.", "Check the name and the rights.") from None
    if not record:
        why = "Another program may have saved the file since, or styled did not paint it."
        raise JobError(f"{painting} carries no record of how it was painted.", why)
    return Provenance.from_json(record)


def info_lines(record: Provenance) -> Iterator[str]:
    """How a painting was made. Of the recipe, only the settings that differ from its preset."""
    versions = {"styled": record.version, **record.libraries}
    terms = ", ".join(f"{name} {loss:.4g}" for name, loss in summed(record.terms).items())
    rows = [
        ("photo", f"{record.source}  (SHA-256 {record.source_sha256})"),
        ("style", record.style),
        *(("", f"{p.name} × {p.weight:g}  (SHA-256 {p.sha256})") for p in record.pictures),
        ("recipe", ", ".join(own_settings(record.recipe))),
        (
            "size",
            f"{record.size[0]} x {record.size[1]}, {record.format}" + (f", {record.dpi} dpi" if record.dpi else ""),
        ),
        ("weights", f"{record.weights}  (SHA-256 {record.weights_sha256})"),
        ("steps", f"{record.steps}; {ways(record.stretches)}"),
        ("loss", f"{record.loss:.6g} = {terms}" if terms else f"{record.loss:.6g}"),
        *(("", f"{name} {loss:.4g}") for name, loss in record.terms.items() if name.startswith("style ")),
        ("painted", f"{record.painted} in {record.seconds:.1f} s"),
        ("device", f"{record.device_name} ({record.device}), CPU threads: {record.threads}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
    ]
    return (f"{name:10}{value}" for name, value in rows)


def comparison_lines(out: Path, same: bool, largest: int, differing: Sequence[str]) -> Iterator[str]:
    """How a repainted picture compares: its `largest` difference (0 to 255), and what has changed since then."""
    if same:
        yield f"{out}: the same painting, bit for bit."
        return
    yield f"{out}: not the same; pixels differ by up to {largest} of 255."
    for each in differing:
        yield f"  {each}"
    if not differing:
        yield "  Versions, device and threads are the same; a GPU may round differently each time."


def status_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """What the daemon is doing; `found` is what `read_status` returned."""
    if found["state"] == NOT_RUNNING:
        yield f"No daemon runs on {found['root']}. Start one with: styled run"
        return
    yield f"{found['state']} on {found['device'] or 'its device'} with {found['weights'] or 'its'} weights"
    for memory in found["memory"]:
        free = "" if memory["free"] is None else f", {memory['free'] / 2**30:.1f} GiB free"
        yield f"memory of {memory['device']}: {memory['used'] / 2**30:.1f} GiB held by its painter{free}"
    if found["trouble"]:
        yield f"paused: {found['trouble']}"
    yield from (f"{folder} is paused: {why}" for folder, why in found["paused"].items())
    for job in found["jobs"]:
        step = f", step {job['step']}/{job['steps']}, loss {job['loss']:.4g}" if job["step"] else ""
        left = f", {duration(job['seconds_left'])} left" if job["seconds_left"] is not None else ""
        yield f"  {job['file']}: {job['stage']}{step}{left}"
    total = sum(found["waiting"].values())
    by_style = ", ".join(f"{style} {count:,}" for style, count in found["waiting"].items() if count)
    rate = found["per_hour"]
    left = f", done in about {duration(total / rate * 3600)}" if rate and total else ""
    yield f"{total:,} waiting" + (f" ({by_style})" if by_style else "") + left
    for growing in found["growing"][:5]:
        yield f"  {growing['file']}: not complete yet: {growing['why']}"
    yield from (f"  {left['file']}: {left['why']}" for left in found["left"][:5])
    yield f"{found['delivered']:,} painted, {found['failed']:,} failed since its start"
    counts = found["counts"]
    today = f"{counts['delivered_today']:,} painted, {counts['failed_today']:,} failed today"
    yield f"{today}; {counts['delivered']:,} and {counts['failed']:,} in all"
    if found["last_failure"]:
        yield f"last failure: {found['last_failure']}"


def doctor_lines(report: Report, repaired: Sequence[Finding]) -> Iterator[str]:
    """What was repaired, what remains to be done, and the sum."""
    yield from (f"repaired: {finding.path}: {finding.what}" for finding in repaired)
    for finding in report.findings:
        yield f"{finding.path}: {finding.what}."
        yield f"  {finding.advice}"
    parts = f"{report.delivered} delivered + {report.failed} failed + {report.waiting} waiting"
    yield f"{report.accepted} accepted {'=' if report.adds_up else '≠'} {parts} + {report.in_work} in work"


def style_lines(config: Config) -> Iterator[str]:
    """Each style with its pictures, its settings and its folder."""
    for name, style in config.styles.items():
        default = "  (default)" if name == config.default_style else ""
        pictures = " + ".join(
            picture_name(each.file) + (f" × {each.weight:g}" if len(style.all_pictures) > 1 else "")
            for each in style.all_pictures
        )
        settings = config.settings(name)
        yield f"{name}{default}"
        yield f"  {pictures}; {', '.join(own_settings(settings.recipe))}, size {settings.size}"
        yield f"  drop into {config.root / 'inbox' / name}/"


def tree_lines(root: Path, entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Paths below `root` as a tree, each with its fate; of many paths with the same fate in a folder, the first few."""
    folders: dict[Path, list[tuple[str, str]]] = {}
    for path, verdict in entries:
        folders.setdefault(Path(path).parent, []).append((Path(path).name, verdict))
    yield f"{root.name}/"
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
            leaves.append(f"{name}: {verdict}")
    leaves += [f"… {count - ALIKE:,} more: {verdict}" for verdict, count in alike.items() if count > ALIKE]
    branches: list[str | Path] = [*leaves, *sorted(each for each in inner if each.parent == folder)]
    for number, branch in enumerate(branches):
        last = number == len(branches) - 1
        if isinstance(branch, str):
            yield f"{before}{'└── ' if last else '├── '}{branch}"
        else:
            yield f"{before}{'└── ' if last else '├── '}{branch.name}/"
            yield from _branch(branch, folders, inner, before + ("    " if last else "│   "))
