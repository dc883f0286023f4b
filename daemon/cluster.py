"""The same painters on other machines: Ray actors, one per device, that join the pool of painters and leave it.

Ray lives in a process of its own, the bridge: it ends its process when it loses its cluster, brings some two dozen
threads with it, and needs more memory than all the rest of the daemon. The bridge gives each actor a line to the
daemon, by which it is called like a painter process of this host. The actor holds such a process on its own machine;
so what a picture does there is told apart from what befalls the machine, and only the former is held against it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import queue
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from logging import getLogger
from typing import TYPE_CHECKING, Any, NamedTuple

from daemon import __version__
from daemon.canvas import Canvas, Handle
from daemon.errors import ConfigError, Died, JobError, Lost
from daemon.painters import Equipment, _Painter
from daemon.pool import Member, Pool
from daemon.processes import Child, Connection, Forward, Line, Progress, catch_output, pair, receive, send
from daemon.transfer.recipe import Recipe
from daemon.transfer.weights import describe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = getLogger("styled")

RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing of ours calls home
    "RAY_worker_niceness": "0",  # in a cluster of our own; as painters of this host
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # what Ray will do by itself one day
}
RETRY_SECONDS = (1.0, 5.0, 15.0, 60.0)  # between attempts, to reach the cluster and to start one of its painters
LOOK_SECONDS = 1.0  # between two looks at who is there
REACH_SECONDS = 5.0  # for the cluster's address to answer at all
READY_SECONDS = 300.0  # for an actor to find its place and load its model
BATCH_SECONDS = 0.25  # between two reports of progress at least
STYLES_KEPT = 32  # pictures that are in the cluster


class Cluster:
    """Keeps `pool` filled with the painters of a cluster, as they come and go."""

    def __init__(
        self,
        address: str,
        device: str,
        weights: str,
        threads: int | None,
        pool: Pool[Member],
        resident: Callable[..., Any] | None = None,
    ) -> None:
        """`address`: local, for one of our own, or host:port. `resident`: as in Painters."""
        self.trouble = ""  # why it has no painter for us
        self._pool = pool
        self._bridge = Child("bridge to the cluster", _Bridge, address, device, weights, threads, resident or _Painter)
        self._lines: dict[str, Line] = {}
        self._worked = False
        self._closed = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="cluster", daemon=True).start()

    def close(self) -> None:
        """End the bridge, and with it our painters."""
        self._closed.set()
        self._bridge.kill()

    def _run(self) -> None:
        for attempt in range(10**9):
            try:
                self._bridge.call("tend", progress=self._heard)
            except (ConfigError, Died) as error:
                if self._closed.is_set():
                    return
                if isinstance(error, ConfigError) and not self._worked:
                    self._pool.refuse(error)
                    return
                self._say(str(error).strip().splitlines()[-1])
            for name in list(self._lines):
                self._left(name)
            self._bridge.close()
            if self._closed.wait(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]):
                return

    def _heard(self, what: str, *about: Any) -> None:
        does: dict[str, Callable[..., None]] = {"joined": self._joined, "left": self._left, "trouble": self._say}
        does[what](*about)

    def _joined(self, name: str, end: Handle, hello: Equipment) -> None:
        self._left(name)
        line = self._lines[name] = Line(name, end, hello)
        self._worked = True
        self._pool.add(line)
        log.info("the %s has joined: %s", name, hello.device_name)

    def _left(self, name: str) -> None:
        """No more pictures for it; the one that it may have is finished, if it can be."""
        if line := self._lines.pop(name, None):
            self._pool.remove(line)
            log.info("the %s has left", name)

    def _say(self, trouble: str) -> None:
        """Said once, however often it is found."""
        if trouble and trouble != self.trouble:
            log.error("%s; it is tried again by itself", trouble)
        elif self.trouble and not trouble:
            log.warning("the cluster has a painter again")
        self.trouble = trouble


def not_installed() -> str:
    """Why there can be no cluster on this host; empty if Ray is here."""
    if importlib.util.find_spec("ray") is not None:
        return ""
    return (
        "cluster: Ray is not installed here; `pip install 'styled-daemon[ray]'`, or take the line `cluster:` out to "
        "paint on this host alone"
    )


def unreachable(address: str) -> str:
    """Why no cluster can be at this address; empty if something answers there, or if it is to be our own."""
    if address == "local":
        return ""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH_SECONDS).close()
    except OSError as error:
        return (
            f"cluster: {address} cannot be reached ({error.strerror or error}); is the cluster running, and is that "
            "the address that `ray start --head` said?"
        )
    return ""


def unfit(version: str, equipment: Equipment | None, problems: str, sha256: str) -> str:
    """Why a painter elsewhere is none for us, by what it says of itself; empty if it is. `sha256`: of the weights
    that the others have, empty for the first."""
    if version != __version__:
        return f"it has styled {version}, and this host {__version__}; install the same version there"
    if problems or equipment is None:
        return problems
    if sha256 and equipment.weights_sha256 != sha256:
        mine = f"{equipment.weights} ({equipment.weights_sha256[:12]})"
        return f"its weights, {mine}, are not those of the others ({sha256[:12]}); give it the same"
    return ""


class _Place(NamedTuple):
    """Where a painter is to be: one device of one machine."""

    node: str
    host: str
    number: int  # among the devices of its machine
    cpus: float  # that its machine has

    def __str__(self) -> str:
        return f"painter {self.host} {self.node[:6]}" + (f":{self.number}" if self.number else "")


class _UnfitError(Exception):
    """There is an actor, and it cannot paint for us."""


class _Bridge:
    """What lives in the bridge process."""

    hello = None
    answers_with = (Died,)

    def __init__(
        self, address: str, device: str, weights: str, threads: int | None, resident: Callable[..., Any]
    ) -> None:
        for name, value in RAY.items():
            os.environ.setdefault(name, value)
        self._address, self._device, self._threads, self._resident = address, device, threads, resident
        if why := not_installed():
            raise ConfigError([why])
        catch_output("Ray")
        self._weights, self._sha256 = weights, ""
        if weights == "auto":  # by what this host has, and not by what each of the others happens to
            here = describe(weights)
            self._weights, self._sha256 = here.kind, here.sha256
        self._told: Progress = lambda *about: None
        self._trouble = ""
        self._lock = threading.Lock()  # guards all below
        self._taken: set[_Place] = set()
        self._up: set[_Place] = set()
        self._failed: dict[_Place, tuple[int, float, str]] = {}  # in a row, until when it is left alone, why
        self._styles: OrderedDict[tuple[int, int], tuple[Canvas, Any]] = OrderedDict()

    def tend(self, progress: Progress) -> None:
        """Have a painter on every device, until the cluster is lost: Died. ConfigError. Reports who joins (with our
        end of its line and its Equipment), who leaves, and why nobody is there."""
        if why := unreachable(self._address):
            raise Died(why)
        self._told = progress
        self._connect()
        import ray

        own = ray.get_runtime_context().get_node_id()
        while True:
            nodes = [node for node in ray.nodes() if node["Alive"]]
            if own not in {node["NodeID"] for node in nodes}:
                raise Died("cluster: this host's own part of it has ended")
            self._settle(nodes)
            time.sleep(LOOK_SECONDS)

    def _connect(self) -> None:
        import ray

        at = {"address": self._address}
        if self._address == "local":
            at["include_dashboard"] = False  # type: ignore[assignment]
        try:
            ray.init(**at, log_to_driver=False, logging_level="error", namespace="styled")
        except Exception as error:  # Ray has no class for any of these
            said = " ".join(str(error).split())
            if "ersion mismatch" in said:
                raise ConfigError([f"cluster: the versions differ: {said}"]) from None
            if "raylet" in said.lower():
                start = f"ray start --address={self._address}"
                raise Died(f"cluster: this host is no part of it; run `{start}` here, too ({said})") from None
            raise Died(f"cluster: {self._address} cannot be used: {said or type(error).__name__}") from None

    # who is there

    def _settle(self, nodes: Sequence[dict[str, Any]]) -> None:
        """Painters for what is new, a farewell to what has gone, and why there is nobody."""
        if self._device in ("auto", "all"):  # once and for all: a GPU paints larger, if size is auto, and not the same
            self._device = "cuda" if any(_gpus(node) for node in nodes) else "cpu"
            log.info("the cluster has %d machines; they paint by %s", len(nodes), self._device)
        leaving = _leaving()
        wanted = {place for node in nodes if node["NodeID"] not in leaving for place in self._places(node)}
        now = time.monotonic()
        with self._lock:
            begin = [p for p in wanted - self._taken if self._failed.get(p, (0, 0.0, ""))[1] <= now]
            gone = self._up - wanted
            self._taken |= set(begin)
            self._up -= gone
            self._failed = {place: failed for place, failed in self._failed.items() if place in wanted}
            whys = sorted({failed[2] for failed in self._failed.values()})
            trouble = "" if self._up or (wanted and not whys) else "; ".join(whys)
        if not wanted:
            what = "GPU" if self._device == "cuda" else "CPU"
            trouble = f"cluster: none of its {len(nodes)} machines has a {what} for a painter"
        for place in gone:
            self._told("left", str(place))
        if trouble != self._trouble:
            self._trouble = trouble
            self._told("trouble", trouble)
        for place in begin:
            threading.Thread(target=self._paint_at, args=(place,), name=str(place), daemon=True).start()

    def _places(self, node: dict[str, Any]) -> Iterator[_Place]:
        cpus = float(node["Resources"].get("CPU", 0))
        count = _gpus(node) if self._device == "cuda" else int(cpus >= 1)
        for number in range(count):
            yield _Place(node["NodeID"], node["NodeManagerAddress"], number, cpus)

    # one painter

    def _paint_at(self, place: _Place) -> None:
        """The life of one actor, from its start until it is lost or let go."""
        import ray

        actor = None
        why = ""
        here, there = pair()
        try:
            actor = self._actor(place)
            equipment = self._examined(actor, place)
            with self._lock:
                self._up.add(place)
                self._failed.pop(place, None)
            self._told("joined", str(place), there, equipment)
            there.close()
            self._serve(actor, place, here)
        except _UnfitError as unfit:
            why = str(unfit)
        except ray.exceptions.RayError as error:
            why = f"the {place} does not start: {_said(error)}"
        except (EOFError, OSError):
            pass  # the daemon has let it go
        finally:
            here.close()
            with contextlib.suppress(Exception):
                ray.kill(actor)
            with self._lock:
                self._taken.discard(place)
                self._up.discard(place)
                if why:
                    row = self._failed.get(place, (0, 0.0, ""))[0]
                    pause = RETRY_SECONDS[min(row, len(RETRY_SECONDS) - 1)]
                    self._failed[place] = (row + 1, time.monotonic() + pause, why)

    def _actor(self, place: _Place) -> Any:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        device = self._device
        if device == "cuda":  # Ray shows each actor its own alone
            cores = min(self._threads or 1, place.cpus)
            resources: dict[str, float] = {"num_gpus": 1, "num_cpus": cores}
        else:
            resources = {"num_cpus": min(self._threads or place.cpus, place.cpus)}  # and as many threads, by Ray
        there = NodeAffinitySchedulingStrategy(place.node, soft=False)
        made = ray.remote(_Actor).options(scheduling_strategy=there, **resources)
        return made.remote(self._resident, device, self._weights)

    def _examined(self, actor: Any, place: _Place) -> Equipment:
        """What it paints with. _UnfitError: not what we would."""
        import ray

        try:
            version, equipment, problems = ray.get(actor.hello.remote(), timeout=READY_SECONDS)
        except ray.exceptions.GetTimeoutError:
            raise _UnfitError(f"the {place} finds no room: other work of the cluster has its device") from None
        with self._lock:
            if why := unfit(version, equipment, problems, self._sha256):
                raise _UnfitError(f"the {place} cannot paint for us: {why}")
            found: Equipment = equipment
            self._sha256 = found.weights_sha256
        return found

    def _serve(self, actor: Any, place: _Place, here: Connection) -> None:
        """Answer the daemon's calls. EOFError, OSError: it has let go."""
        import ray

        while True:
            method, arguments, patience = receive(here)
            try:
                for kind, value in self._messages(actor, method, arguments, patience, here):
                    send(here, (kind, value))
            except (ray.exceptions.RayError, StopIteration) as error:
                send(here, ("error", Lost(f"the {place} was lost ({_said(error)})")))
                return

    def _messages(
        self, actor: Any, method: str, arguments: tuple[Any, ...], patience: float | None, here: Connection
    ) -> Iterator[tuple[str, Any]]:
        """What the actor says to a call, in order; the last is the result, or an error. RayError: it is lost."""
        import ray

        if method == "paint":
            content, style, recipe, threads = arguments
            shares = tuple(share for _, share in style)
            pictures = [self._style(picture) for picture, _ in style]
            stream = actor.paint.remote(recipe, threads, patience, shares, ray.put(content.array()), *pictures)
        else:
            stream = actor.try_out.remote(patience)
        kind = ""
        while kind not in ("result", "error"):
            while not ray.wait([stream], timeout=1.0)[0]:
                if here.poll():
                    raise EOFError  # nothing is ever said during a call: the daemon has hung up
            for kind, value in ray.get(next(stream)):
                yield kind, Canvas.of(value) if kind == "result" and value is not None else value

    def _style(self, picture: Canvas) -> Any:
        """The reference by which the actors get it: each picture travels once to each machine."""
        import ray

        status = os.fstat(picture.handle.fd)  # no other has the same as long as it is held open
        key = (status.st_dev, status.st_ino)
        with self._lock:
            if key not in self._styles:
                self._styles[key] = (picture, ray.put(picture.array()))
            self._styles.move_to_end(key)
            while len(self._styles) > STYLES_KEPT:
                self._styles.popitem(last=False)
            return self._styles[key][1]


class _Actor:
    """What lives in the cluster: a painter process and who talks to it. Each answer is a stream of batches of
    (kind, value), as they come down a line."""

    def __init__(self, resident: Callable[..., Any], device: str, weights: str) -> None:
        self._said: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        log.addHandler(Forward(lambda kind, value: self._said.put((kind, value))))
        log.setLevel(10)
        log.propagate = False
        self._painter = Child("painter", resident, device, weights)

    def hello(self) -> tuple[str, Equipment | None, str]:
        """Our version, what it paints with, or why it cannot."""
        try:
            return __version__, self._painter.ready(), ""
        except (ConfigError, Died) as error:
            return __version__, None, str(error).strip()

    def try_out(self, patience: float | None) -> Iterator[list[tuple[str, Any]]]:
        yield from self._call("try_out", patience=patience)

    def paint(
        self,
        recipe: Recipe,
        threads: int | None,
        patience: float | None,
        shares: Sequence[float],
        content: NDArray[np.float32],
        *pictures: NDArray[np.float32],
    ) -> Iterator[list[tuple[str, Any]]]:
        """See Painter.paint; `pictures` (h, w, 3) have their `shares`."""
        style = tuple((Canvas.of(picture), share) for picture, share in zip(pictures, shares, strict=True))
        yield from self._call("paint", Canvas.of(content), style, recipe, threads, patience=patience)

    def _call(self, method: str, *arguments: object, patience: float | None) -> Iterator[list[tuple[str, Any]]]:
        if not self._painter.running:
            self._painter.close()
        said = self._said

        def work() -> None:
            try:
                result = self._painter.call(
                    method, *arguments, progress=lambda *about: said.put(("progress", about)), patience=patience
                )
                said.put(("result", result.array() if isinstance(result, Canvas) else result))
            except (JobError, ConfigError, Died) as error:
                said.put(("error", error))
            except BaseException as error:
                said.put(("error", Lost(f"it broke down: {error!r}")))

        threading.Thread(target=work, name=method, daemon=True).start()
        ended = False
        while not ended:
            batch = [said.get()]
            due = time.monotonic() + BATCH_SECONDS
            while not (ended := batch[-1][0] in ("result", "error")):
                try:
                    batch.append(said.get(timeout=max(due - time.monotonic(), 0)))
                except queue.Empty:
                    break
            yield batch


def _gpus(node: dict[str, Any]) -> int:
    return int(node["Resources"].get("GPU", 0))


def _leaving() -> set[str]:
    """The machines that are being drained: they go on with what they have and get nothing new."""
    from ray._private.state import state  # Ray's own libraries ask there, too; there is no public way

    ask = getattr(state, "get_draining_nodes", None)
    return set(ask()) if ask else set()


def _said(error: BaseException) -> str:
    """Ray's reason, of all that it says, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith("The actor is dead because")] or lines[-1:]
    return telling[0].split(". ")[0][:300] if telling else type(error).__name__
