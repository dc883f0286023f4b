"""What the daemon adds to painting: `python -m tests.benchmarks.daemon [--json] [--photos 20] [--size 256]`.

Photographs through a real daemon against the bare `Stylizer` on the same pictures, in the same run; how soon a start
is at work; a crowd of files dropped at once; and what an idle daemon costs with many files in done/ (Linux).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from daemon.events import Event
from daemon.inbox.inbox import Inbox
from daemon.pictures.reading import read
from daemon.transfer import Stylizer
from daemon.transfer.recipe import recipe
from tests.benchmarks import machine
from tests.benchmarks.speed import ASSETS
from tests.support.daemon import Daemon

CONTENTS = sorted((ASSETS / "contents").glob("*.jpg"))
CONFIG = """\
root: .
default_style: starry
settle_seconds: {settle}
device: {device}
threads: {threads}
weights: embedded
recipe: {{preset: {preset}, size: {size}}}
styles:
  starry: {{picture: builtin:starry}}
"""
SETTLE = 0.5  # seconds
LONGEST = 3600.0  # seconds that the daemon is waited for
STARTS = 5  # of which the quickest counts, as the machine's other work is not the daemon's
MODEL = """\
import sys, time, torch
start = time.perf_counter()
from daemon.transfer import Stylizer
Stylizer(device=sys.argv[1], weights="embedded")
print(time.perf_counter() - start)
"""


def configured(root: Path, given: argparse.Namespace) -> Path:
    """The root of a daemon that has never run."""
    root.mkdir()
    settings = {"threads": given.threads or "auto", "settle": SETTLE}
    (root / "config.yaml").write_text(CONFIG.format(**vars(given) | settings))
    return root


def bare(photos: Sequence[Path], given: argparse.Namespace) -> tuple[float, dict[str, str]]:
    """Seconds that the Stylizer alone takes for them, decoded beforehand and never encoded."""
    stylizer = Stylizer(device=given.device, weights="embedded", threads=given.threads)
    how = recipe(given.preset)
    style = decoded(ASSETS / "styles" / "starry.jpg", given.size)
    contents = [decoded(photo, given.size) for photo in photos]
    stylizer.paint(contents[0], style, recipe("draft"))
    start = time.perf_counter()
    for content in contents:
        stylizer.paint(content, style, how)
    return time.perf_counter() - start, machine.described(stylizer)


def decoded(path: Path, size: int) -> Any:
    with path.open("rb") as file:
        return read(file, max_megapixels=100, size=size).pixels


def through_the_daemon(photos: Sequence[Path], given: argparse.Namespace, root: Path) -> tuple[float, float]:
    """Seconds from the drop until the last painting is delivered; the share of them a painter was painting."""
    with running(configured(root, given)) as daemon:
        inbox, outbox = root / "inbox/starry", root / "outbox/starry"
        for number, photo in enumerate(photos):
            shutil.copy(photo, root / f"{number}.jpg")
        start = time.perf_counter()
        for number in range(len(photos)):
            os.rename(root / f"{number}.jpg", inbox / f"{number}.jpg")
        looks = list[bool]()
        while len(list(outbox.glob("*.jpg"))) < len(photos):
            if daemon.process.poll() is not None or time.perf_counter() - start > LONGEST:
                raise RuntimeError(f"the daemon did not finish:\n{daemon.text()}")
            jobs = json.loads((root / "work/status.json").read_text())["jobs"]
            looks.append(any(job["stage"] == "painting" for job in jobs))
            time.sleep(0.1)
        return time.perf_counter() - start, sum(looks) / max(1, len(looks))


class running:  # noqa: N801  (a context manager, used as a verb)
    """A daemon that is ready, stopped at the end."""

    def __init__(self, root: Path) -> None:
        self.daemon = Daemon(root)

    def __enter__(self) -> Daemon:
        self.daemon.wait_for(Event.READY, 300)
        return self.daemon

    def __exit__(self, *error: object) -> None:
        self.daemon.stop()


def startup(given: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Seconds from a daemon's start until it has claimed a photo that was there, besides those that the photo had to
    stand still, and until its model is ready; and of these how many the model takes once torch is imported."""
    claimed, ready, model = [], [], []
    for number in range(STARTS):
        root = configured(folder / str(number), given)
        (root / "inbox").mkdir()
        shutil.copy(CONTENTS[0], root / "inbox")
        start = time.perf_counter()
        daemon = Daemon(root)
        work = root / "work"
        while not (work.is_dir() and any(path.is_dir() for path in work.iterdir())):
            if daemon.process.poll() is not None or time.perf_counter() - start > LONGEST:
                raise RuntimeError(f"the daemon claimed nothing:\n{daemon.text()}")
            time.sleep(0.005)
        claimed.append(time.perf_counter() - start - SETTLE)
        daemon.wait_for(Event.READY, 300)
        ready.append(time.perf_counter() - start)
        daemon.stop()
        command = [sys.executable, "-c", MODEL, given.device]
        model.append(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    names = "seconds_to_a_claim", "seconds_to_ready", "seconds_from_torch_to_model"
    return dict(zip(names, map(min, (claimed, ready, model)), strict=True))


def crowd(count: int, inbox: Path) -> dict[str, float]:
    """Seconds to list `count` files that are there at once, and then to have them settled and in order."""
    (inbox / "starry").mkdir(parents=True)
    for number in range(count):
        (inbox / "starry" / f"{number}.jpg").write_bytes(b"\xff\xd8")
    listing = Inbox(inbox, styles=["starry"], default_style="starry", settle_seconds=0.0)
    listing.start()
    start = time.perf_counter()
    listing.scan()
    listed = time.perf_counter() - start
    assert sum(listing.waiting().values()) == count
    first = listing.take(threading.Event())
    ordered = time.perf_counter() - start
    assert first is not None
    listing.close()
    return {"files": count, "seconds_to_list": listed, "seconds_to_first": ordered}


def idle(count: int, seconds: float, given: argparse.Namespace, root: Path) -> dict[str, float]:
    """Percent of one core that the daemon and its children use while nothing happens."""
    done = configured(root, given) / "done/starry"
    done.mkdir(parents=True)
    for number in range(count):
        (done / f"{number}.jpg").touch()
    with running(root) as daemon:
        time.sleep(min(2.0, seconds))
        before, start = sum(ticks(daemon.process.pid)), time.perf_counter()
        time.sleep(seconds)
        used = (sum(ticks(daemon.process.pid)) - before) / os.sysconf("SC_CLK_TCK")
        return {"files_in_done": count, "percent_of_a_core": 100 * used / (time.perf_counter() - start)}


def ticks(pid: int) -> Iterator[int]:
    """CPU time of a process and its children."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(process.name) == pid or int(fields[1]) == pid:
            yield int(fields[11]) + int(fields[12])


def run(given: argparse.Namespace) -> dict[str, Any]:
    photos = [CONTENTS[number % len(CONTENTS)] for number in range(given.photos)]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        alone, described = bare(photos, given)
        seconds, painting = through_the_daemon(photos, given, root / "painting")
        return {
            "machine": described,
            "photos": given.photos,
            "size": given.size,
            "preset": given.preset,
            "bare_paintings_per_minute": 60 * given.photos / alone,
            "paintings_per_minute": 60 * given.photos / seconds,
            "ratio": alone / seconds,
            "overhead_seconds_per_picture": (seconds - alone) / given.photos,
            "share_of_time_painting": painting,
            "startup": startup(given, root),
            "crowd": crowd(given.waiting, root / "inbox"),
            "idle": idle(given.done, given.idle_seconds, given, root / "idle")
            if Path("/proc/self/stat").exists()
            else {},
        }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.daemon", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--photos", type=int, default=20)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--preset", default="draft")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, help="of both; the machine's own choice differs between them")
    parser.add_argument("--waiting", type=int, default=10_000)
    parser.add_argument("--done", type=int, default=100_000)
    parser.add_argument("--idle-seconds", type=float, default=30.0)
    given = parser.parse_args(arguments)
    result = run(given)
    if given.json:
        print(json.dumps(result, indent=2))
        return
    for name, value in result.items():
        print(f"{name:30} {f'{value:.3f}' if isinstance(value, float) else value}")


if __name__ == "__main__":
    main()
