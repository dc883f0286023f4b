"""What the commands answer, in words: lines of plain text for a person. Nothing here prints."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from daemon.errors import JobError
from daemon.names import shown
from daemon.provenance import Provenance, own_settings


def told(painting: Path) -> Provenance:
    """What `painting` says of itself. JobError: it is no picture, or says nothing."""
    from daemon import pictures

    try:
        with painting.open("rb") as file:
            record = pictures.read_record(file)
    except OSError as error:
        raise JobError(f"{shown(str(painting))}: {error.strerror}.", "Check the name and the rights.") from None
    if not record:
        why = "Another program may have saved it since, or it was not painted by styled."
        raise JobError(f"{shown(str(painting))} carries no record of how it was painted.", why)
    return Provenance.from_json(record)


def info_lines(record: Provenance) -> Iterator[str]:
    """How a painting was made; of the recipe only what differs from its preset."""
    versions = {"styled": record.version, **record.libraries}
    rows = [
        ("photo", f"{shown(record.source)}  (SHA-256 {shown(record.source_sha256)})"),
        ("style", shown(record.style)),
        *(("", f"{shown(p.name)} × {p.weight:g}  (SHA-256 {shown(p.sha256)})") for p in record.pictures),
        ("recipe", shown(", ".join(own_settings(record.recipe)))),
        ("size", f"{record.size[0]} x {record.size[1]}, {shown(record.format)}"),
        ("weights", f"{shown(record.weights)}  (SHA-256 {shown(record.weights_sha256)})"),
        ("steps", f"{record.steps}, the last with loss {record.loss:.6g}"),
        ("painted", f"{shown(record.painted)} in {record.seconds:.1f} s"),
        ("device", f"{shown(record.device_name)} ({shown(record.device)}), CPU threads: {record.threads}"),
        ("versions", shown(", ".join(f"{name} {version}" for name, version in versions.items()))),
    ]
    return (f"{name:10}{value}" for name, value in rows)


def comparison_lines(out: Path, same: bool, largest: int, differing: Sequence[str]) -> Iterator[str]:
    """How a painting that was made again compares: `largest` difference of 255, and what is not as it was then."""
    if same:
        yield f"{shown(str(out))}: the same painting, bit for bit."
        return
    yield f"{shown(str(out))}: not the same; pixels differ by up to {largest} of 255."
    for each in differing:
        yield f"  {shown(each)}"
    if not differing:
        yield "  Versions, device and threads are the same: a GPU does not promise the same bits twice."
