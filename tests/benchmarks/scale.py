"""Where painting on many machines stops growing: `python -m tests.benchmarks.scale [--json] [--size 1024]`.

Through a real daemon, a real Ray and painters that do no more than wait, with 1 and 2 of them: what a picture costs
besides painting, in each process's own processor time. A simulation from these figures then says where the first
bottleneck is at 10, 100 and 1,000 GPUs and at what rate, and is held against the two real runs. `--real` also paints
for real, with one painter and two of one thread each.
"""

import argparse
import heapq
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from daemon.events import Event
from daemon.pictures.reading import read
from daemon.pictures.writing import verify, write
from tests.support.daemon import Daemon
from tests.support.samples import jpeg

NODES = (10, 100, 1000)
LONGEST = 1800.0  # seconds that a daemon is waited for
CONFIG = """\
root: .
default_style: starry
settle_seconds: 0.1
device: cpu
threads: 1
weights: embedded
cluster: {address}
recipe: {{preset: draft, size: {size}}}
styles:
  starry: {{picture: builtin:starry}}
"""


class Station(NamedTuple):
    """Where each picture is served in turn: `servers` side by side, `seconds` for one picture."""

    name: str
    servers: int
    seconds: float


def simulated(stations: Sequence[Station], painters: int, jobs: int) -> dict[str, Any]:
    """`jobs` pictures through all stations in order, so many in hand as the daemon has with so many painters.
    Returns pictures per second and what share of its time each station is busy."""
    free = [[0.0] * station.servers for station in stations]
    in_hand = painters + max(painters, 2)
    ends = list[float]()
    waiting = [(0.0, 0, job) for job in range(min(in_hand, jobs))]  # when, at which station, who
    following = len(waiting)
    while waiting:
        now, at, job = heapq.heappop(waiting)
        start = max(now, heapq.heappop(free[at]))
        end = start + stations[at].seconds
        heapq.heappush(free[at], end)
        if at + 1 < len(stations):
            heapq.heappush(waiting, (end, at + 1, job))
            continue
        ends.append(end)
        if following < jobs:
            heapq.heappush(waiting, (end, 0, following))
            following += 1
    half = sorted(ends)[len(ends) // 2 :]  # from then on it runs evenly
    rate = (len(half) - 1) / (half[-1] - half[0]) if half[-1] > half[0] else 0.0
    busy = {each.name: round(min(rate * each.seconds / each.servers, 1.0), 3) for each in stations}
    return {
        "painters": painters,
        "per_second": rate,
        "busy": busy,
        "bottleneck": max(busy, key=lambda name: busy[name]),
    }


def stations(cost: dict[str, float], painters: int, given: argparse.Namespace) -> list[Station]:
    """A picture's way, by what was measured. The daemon and the bridge are Python, so each is one server."""
    readers = min(2 + painters // 8, given.cores)
    bytes_each_way = cost["pixels_bytes"]
    wire = bytes_each_way / (given.gigabits * 1e9 / 8)
    return [
        Station("daemon", 1, cost["daemon_seconds"]),
        Station("readers", readers, cost["readers_seconds"]),
        Station("bridge", 1, cost["bridge_seconds"]),
        Station("network out", 1, wire),
        Station("painters", painters, given.painting + cost["overhead_seconds"]),
        Station("network back", 1, wire),
        Station("disk", 1, cost["file_bytes"] / (given.disk * 1e6)),
    ]


def configured(root: Path, address: str, given: argparse.Namespace) -> None:
    root.mkdir()
    (root / "config.yaml").write_text(CONFIG.format(address=address, size=given.size))
    (root / "slow").write_text(str(given.wait))


def measured(root: Path, address: str, painters: int, given: argparse.Namespace, *, fast: bool) -> dict[str, float]:
    """`--photos` pictures through a real daemon: rate, and processor seconds per picture of each of its processes."""
    configured(root, address, given)
    height = given.size * 3 // 4
    photos = [jpeg(given.size, height, seed=number) for number in range(4)]
    daemon = Daemon(root, fast=fast)
    try:
        joined = Event.CLUSTER_JOINED
        until(lambda: daemon.events(Event.READY) and len(daemon.events(joined)) >= painters, daemon)
        put(root, photos, 0, given.warm)
        until(lambda: delivered(root) >= given.warm, daemon)
        before, memory = ticks(daemon.process.pid), resident(daemon.process.pid)
        start = time.perf_counter()
        put(root, photos, given.warm, given.photos)
        until(lambda: delivered(root) >= given.warm + given.photos, daemon)
        seconds = time.perf_counter() - start
        used = {name: (after - before[name]) / given.photos for name, after in ticks(daemon.process.pid).items()}
        size = sum(path.stat().st_size for path in (root / "outbox/starry").glob("*.jpg")) / delivered(root)
        return {
            "painters": painters,
            "per_second": given.photos / seconds,
            "daemon_seconds": used["daemon"],
            "bridge_seconds": used["bridge"],
            "readers_seconds": used["readers"],
            "daemon_MiB": resident(daemon.process.pid),
            "daemon_MiB_grown": resident(daemon.process.pid) - memory,
            "pixels_bytes": given.size * height * 12.0,
            "file_bytes": size,
        }
    finally:
        daemon.stop()


def put(root: Path, photos: Sequence[bytes], first: int, count: int) -> None:
    for number in range(first, first + count):
        hidden = root / f".{number}"
        hidden.write_bytes(photos[number % len(photos)])
        hidden.rename(root / f"inbox/starry/{number}.jpg")


def delivered(root: Path) -> int:
    return len(list((root / "outbox/starry").glob("*.jpg")))


def until(happened: Any, daemon: Daemon) -> None:
    deadline = time.monotonic() + LONGEST
    while not happened():
        if daemon.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the daemon did not finish:\n{daemon.text()}")
        time.sleep(0.02)


def ticks(pid: int) -> dict[str, float]:
    """Processor seconds of the daemon, its bridge and all its readers (Linux)."""
    found = {"daemon": 0.0, "bridge": 0.0, "readers": 0.0}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if int(process.name) == pid:
                who = "daemon"
            elif int(fields[1]) == pid:
                who = "bridge" if "_raylet" in (process / "maps").read_text() else "readers"
            else:
                continue
        except OSError:
            continue  # it has ended
        found[who] += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def resident(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def a_reader_alone(size: int) -> float:
    """Processor seconds to decode, encode and verify one picture: what the daemon's readers cannot do without."""
    import io

    photo = io.BytesIO(jpeg(size, size * 3 // 4))
    start = time.process_time()
    pixels = read(photo, max_megapixels=100, size=size)
    out = io.BytesIO()
    write(out, pixels.pixels, None, format="jpeg", quality=95, metadata=b"", record="{}")
    verify(io.BytesIO(out.getvalue()), (size, size * 3 // 4))
    return time.process_time() - start


class nodes:  # noqa: N801  (a context manager, used as a noun)
    """A real cluster of `count` machines of one core, see tests.support.nodes."""

    def __init__(self, count: int) -> None:
        command = [sys.executable, "-m", "tests.support.nodes"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._count = count

    def __enter__(self) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        address = self._process.stdout.readline().strip()
        if self._count == 1:
            print("kill 0", file=self._process.stdin, flush=True)
            self._process.stdout.readline()
        return address

    def __exit__(self, *error: object) -> None:
        with self._process as process:
            assert process.stdin is not None


def run(given: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        runs = []
        painting = []
        for count in (1, 2):
            with nodes(count) as address:
                runs.append(measured(Path(folder) / f"wait-{count}", address, count, given, fast=True))
                if given.real:
                    painting.append(measured(Path(folder) / f"paint-{count}", address, count, given, fast=False))
    cost = dict(runs[1])
    # what one painter's round takes beyond its painting: transfers in this machine's memory, Ray, and waiting
    cost["overhead_seconds"] = max(1 / runs[0]["per_second"] - given.wait, 0.0)
    waits = argparse.Namespace(**vars(given) | {"painting": given.wait, "gigabits": 1e6, "disk": 1e6})
    waits.cores = os.cpu_count() or 1
    return {
        "load": os.getloadavg()[0],
        "size": given.size,
        "painting_seconds": given.painting,
        "a_reader_alone_seconds": a_reader_alone(given.size),
        "overhead_seconds": cost["overhead_seconds"],
        "real": runs,
        "really_painted": painting,
        "speedup": painting[1]["per_second"] / painting[0]["per_second"] if painting else None,
        "simulated_like_real": [simulated(stations(cost, each, waits), each, 200) for each in (1, 2)],
        "simulated": [simulated(stations(cost, each, given), each, 8 * each) for each in NODES],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--warm", type=int, default=4, help="pictures before those that count")
    parser.add_argument("--wait", type=float, default=0.5, help="seconds that a painter of the real runs waits")
    parser.add_argument("--painting", type=float, default=10.0, help="seconds that a GPU is taken to paint one picture")
    parser.add_argument("--cores", type=int, default=16, help="of the daemon's machine, as it is simulated")
    parser.add_argument("--gigabits", type=float, default=10.0, help="of its network")
    parser.add_argument("--disk", type=float, default=200.0, help="MB per second that its disk takes, fsynced")
    parser.add_argument("--real", action="store_true", help="also paint for real, with one painter and with two")
    given = parser.parse_args(arguments)
    result = run(given)
    if given.json:
        print(json.dumps(result, indent=2))
        return
    for name, value in result.items():
        print(f"{name:26} {f'{value:.3f}' if isinstance(value, float) else value}")


if __name__ == "__main__":
    main()
