"""1,000 kills at random moments after a claim: `python -m tests.soak.random_kills [--kills N] [--pictures N]`.

The real daemon with the painter of fast_daemon. Most kills end the daemon, some a painter or a reader. Then, in one
life without kills, memory, descriptors and threads after 100 pictures and at the end. Prints its seed first and the
table for CONTRIBUTING last; exits 1 if a single picture is lost, doubled, condemned or left behind.
"""

import argparse
import contextlib
import hashlib
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon.config.load import load
from daemon.jobs.audit import examine
from tests.support.daemon import Daemon
from tests.support.folders import below
from tests.support.samples import CONFIG, jpeg

SETTINGS = CONFIG.replace("settle_seconds: 0.3", "settle_seconds: 0.1")
AHEAD = 30  # pictures that wait at any time


class Soak:
    """One root and what was dropped there."""

    def __init__(self, root: Path, pictures: int) -> None:
        self.root = root
        self.pictures = pictures
        self.dropped: dict[str, str] = {}  # SHA-256 → name
        self.kills: Counter[str] = Counter()
        (root / "alpha.png").write_bytes(jpeg(seed=1, kind="PNG"))
        (root / "beta.png").write_bytes(jpeg(40, 60, seed=2, kind="PNG"))
        (root / "config.yaml").write_text(SETTINGS)
        self.body = jpeg(32, 24)

    def top_up(self, most: int) -> None:
        """Keep some waiting, each like no other, in both styles and a subfolder, in two manners."""
        inbox = self.root / "inbox"
        waiting = len(below(inbox))
        for _ in range(min(AHEAD - waiting, most - len(self.dropped))):
            number = len(self.dropped)
            name = f"{('alpha', 'beta', 'alpha/trip')[number % 3]}/{number}.jpg"
            data = self.body + b"%08d" % number
            path = inbox / name
            path.parent.mkdir(parents=True, exist_ok=True)
            hidden = path.with_name(f".{path.name}")
            hidden.write_bytes(data)
            hidden.replace(path)
            self.dropped[hashlib.sha256(data).hexdigest()] = name

    def claimed(self) -> bool:
        with contextlib.suppress(OSError):
            return any(entry.is_dir() for entry in os.scandir(self.root / "work"))
        return False

    def delivered(self) -> int:
        """By the journal: lines, of which a crash may have made two."""
        with contextlib.suppress(OSError):
            return (self.root / "work/journal").read_bytes().count(b'"what":"delivered"')
        return 0

    def left(self) -> bool:
        return self.claimed() or bool(below(self.root / "inbox"))

    def verdict(self) -> dict[str, int]:
        """What the folders say when all is still."""
        found: Counter[str] = Counter()
        for path in (self.root / "done").rglob("*.jpg"):
            found[hashlib.sha256(path.read_bytes()).hexdigest()] += 1
        outbox = self.root / "outbox"
        paintings = [str(path.relative_to(outbox)) for path in outbox.rglob("*.jpg") if ".gallery" not in path.parts]
        own = {"clock", "gallery.jsonl", "journal", "lock", "settings.json", "status.json", "tally.json", "version"}
        behind = [path for path in (self.root / "work").iterdir() if path.name not in own]
        behind += [path for path in self.root.rglob(".*") if path.is_file()]
        behind += list((self.root / "inbox").rglob("*.jpg"))
        report = examine(load(self.root / "config.yaml"))
        return {
            "lost": sum(1 for sha256 in self.dropped if not found[sha256]),
            "doubled": sum(count > 1 for count in found.values())
            + len([name for name in paintings if name not in set(self.dropped.values())])
            + abs(len(paintings) - len(self.dropped)),
            "condemned": sum(1 for path in (self.root / "failed").rglob("*") if path.is_file()),
            "left behind": len(behind),
            "not adding up": len(report.findings) + (not report.adds_up),
        }


def children(pid: int) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"spawn_main" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return sorted(found)


@dataclass(frozen=True)
class Usage:
    """Resident MiB, open descriptors and threads of the daemon and its children."""

    mib: float
    descriptors: tuple[str, ...]  # what each is, sorted, without numbers
    threads: int


def usage(pid: int) -> Usage:
    """At rest: the least of a few looks."""
    looks = []
    for _ in range(10):
        time.sleep(0.5)
        looks.append(_usage(pid))
    descriptors = min((look.descriptors for look in looks), key=len)
    return Usage(min(look.mib for look in looks), descriptors, min(look.threads for look in looks))


def _usage(pid: int) -> Usage:
    mib, descriptors, threads = 0.0, [], 0
    for number, each in enumerate((pid, *children(pid))):
        status = dict(line.split(":", 1) for line in Path(f"/proc/{each}/status").read_text().splitlines())
        mib += int(status["VmRSS"].split()[0]) / 1024
        threads += int(status["Threads"])
        for fd in os.listdir(f"/proc/{each}/fd"):
            with contextlib.suppress(FileNotFoundError):
                what = os.readlink(f"/proc/{each}/fd/{fd}")
                descriptors.append(f"process {number}: " + re.sub(r"\d+", "N", what))
    return Usage(mib, tuple(sorted(descriptors)), threads)


def until(condition: Callable[[], object], soak: Soak, daemon: Daemon, each: Callable[[], None] = lambda: None) -> None:
    """Ends us if the daemon ends, or if nothing is delivered for five minutes."""
    delivered, deadline = -1, 0.0
    while not condition():
        each()
        if (now := soak.delivered()) != delivered:
            delivered, deadline = now, time.monotonic() + 300
        if time.monotonic() > deadline or daemon.process.poll() is not None:
            sys.exit(f"the daemon stands still or has ended, see {soak.root}\n{daemon.text()[-3000:]}")
        time.sleep(0.02)


def kill_at_random(soak: Soak, chance: random.Random, kills: int, seconds: float) -> Daemon:
    """Returns the daemon that has survived."""
    end = time.monotonic() + seconds
    daemon = Daemon(soak.root, fast=True)
    in_row = 0  # kills of readers and painters in this daemon's life: the third may rightly condemn a picture
    while soak.kills.total() < kills and time.monotonic() < end:
        share = min(1.0, (soak.kills.total() + 1) / kills)
        until(soak.claimed, soak, daemon, lambda most=int(soak.pictures * share) + AHEAD: soak.top_up(most))  # type: ignore[misc]
        if chance.random() < 0.5:  # while it starts, and once it has painted some
            time.sleep(chance.random() ** 2 * 0.8)
        else:
            some = soak.delivered() + chance.randint(1, 6)
            until(lambda some=some: soak.delivered() >= some or not soak.left(), soak, daemon)  # type: ignore[misc]
            time.sleep(chance.random() * 0.05)
        whom = chance.choices(("daemon", "painter", "reader"), (8, 1, 1))[0] if in_row < 2 else "daemon"
        if whom == "daemon":
            daemon.process.kill()
            daemon.process.wait()
            daemon = Daemon(soak.root, fast=True)
        elif len(processes := children(daemon.process.pid)) == 3:
            with contextlib.suppress(ProcessLookupError):
                os.kill(processes[-1] if whom == "painter" else chance.choice(processes[:-1]), signal.SIGKILL)
        else:
            continue
        soak.kills[whom] += 1
        in_row = 0 if whom == "daemon" else in_row + 1
        if soak.kills.total() % 50 == 0:
            print(f"{soak.kills.total()} kills, {len(soak.dropped)} pictures dropped", flush=True)
    return daemon


def steady(soak: Soak, daemon: Daemon) -> tuple[Usage, Usage]:
    """One life without kills through all that are left and as many again. Returns the usage early and late."""
    daemon.ready()
    until(lambda: not soak.left(), soak, daemon)
    most = len(soak.dropped) + soak.pictures
    few = len(soak.dropped) + min(100, soak.pictures // 2)
    until(lambda: len(soak.dropped) >= few and not soak.left(), soak, daemon, lambda: soak.top_up(few))
    early = usage(daemon.process.pid)
    until(lambda: len(soak.dropped) >= most and not soak.left(), soak, daemon, lambda: soak.top_up(most))
    return early, usage(daemon.process.pid)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=7200, help="of killing, at most")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    options = parser.parse_args()
    if options.pictures < 2 * options.kills:
        parser.error("--pictures: name at least twice as many as kills, or nothing is in hand when a kill is due")
    print(f"seed {options.seed}", flush=True)
    root = Path(tempfile.mkdtemp(prefix="styled-soak-"))
    soak = Soak(root, options.pictures)
    started = time.monotonic()
    daemon = kill_at_random(soak, random.Random(options.seed), options.kills, options.seconds)
    killed_for = time.monotonic() - started
    killed_pictures = len(soak.dropped)
    early, late = steady(soak, daemon)
    code = daemon.stop()
    verdict = soak.verdict()
    rows = [("kills", f"{soak.kills.total()}: " + ", ".join(f"{n} {who}" for who, n in soak.kills.items()))]
    rows += [
        ("pictures", f"{killed_pictures} among kills, {len(soak.dropped)} in all"),
        ("seconds of killing", f"{killed_for:.0f}"),
    ]
    rows += [(name, str(count)) for name, count in verdict.items()]
    figures = (
        ("resident MiB", early.mib, late.mib),
        ("descriptors", len(early.descriptors), len(late.descriptors)),
        ("threads", early.threads, late.threads),
    )
    rows += [(f"{name} after 100 and {options.pictures}", f"{a:.0f} → {b:.0f}") for name, a, b in figures]
    rows.append(("exit code", str(code)))
    print("\n".join(f"| {name} | {value} |" for name, value in rows))
    for what, ones in (("more", (late, early)), ("fewer", (early, late))):
        for descriptor, count in (Counter(ones[0].descriptors) - Counter(ones[1].descriptors)).items():
            print(f"{count} {what}: {descriptor}")
    is_flat = late.mib <= early.mib * 1.05 and late.descriptors == early.descriptors and late.threads == early.threads
    is_right = not any(verdict.values()) and is_flat and code == 0
    if is_right:
        shutil.rmtree(root)
    else:
        print(f"see {root}")
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
