"""What runs in the bridge process: the connection to a Ray cluster and one line per painter in it."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from daemon.errors import ConfigError, WorkerDied, WorkerLost
from daemon.processes.child_process import catch_output
from daemon.processes.messages import Connection, Factory, Progress, receive, send
from daemon.processes.painters import PainterInfo
from daemon.processes.ray_actor import RayActor
from daemon.processes.ray_cluster import RETRY_SECONDS, not_installed, unfit, unreachable
from daemon.processes.remote_child import socket_pair
from daemon.processes.shared_array import SharedArray
from daemon.transfer.network.weights import describe

log = logging.getLogger("styled")

RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing of ours calls home
    "RAY_worker_niceness": "0",  # in a cluster of our own; as painters of this host
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # what Ray will do by itself one day
}
LOOK_SECONDS = 1.0  # between two looks at who is there
READY_SECONDS = 300.0  # for an actor to find its place and load its model
STYLES_KEPT = 32  # pictures that are in the cluster


class Place(NamedTuple):
    """Where a painter is to be: one device of one machine."""

    node: str
    host: str
    number: int  # among the devices of its machine
    cpus: float  # that its machine has

    def __str__(self) -> str:
        return f"painter {self.host} {self.node[:6]}" + (f":{self.number}" if self.number else "")


class _UnfitError(Exception):
    """There is an actor, and it cannot paint for us."""


class RayBridge:
    """What lives in the bridge process."""

    hello = None
    answers_with = (WorkerDied,)

    def __init__(self, address: str, device: str, weights: str, threads: int | None, resident: Factory) -> None:
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
        self._taken: set[Place] = set()
        self._up: set[Place] = set()
        self._failed: dict[Place, tuple[int, float, str]] = {}  # in a row, until when it is left alone, why
        self._styles: OrderedDict[tuple[int, int], tuple[SharedArray, Any]] = OrderedDict()

    def tend(self, progress: Progress) -> None:
        """Have a painter on every device, until the cluster is lost: WorkerDied. ConfigError. Reports who joins
        (with our end of its line and its PainterInfo), who leaves, and why nobody is there."""
        if why := unreachable(self._address):
            raise WorkerDied(why)
        self._told = progress
        self._connect()
        import ray

        own = ray.get_runtime_context().get_node_id()
        while True:
            nodes = [node for node in ray.nodes() if node["Alive"]]
            if own not in {node["NodeID"] for node in nodes}:
                raise WorkerDied("cluster: this host's own part of it has ended")
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
                raise WorkerDied(f"cluster: this host is no part of it; run `{start}` here, too ({said})") from None
            raise WorkerDied(f"cluster: {self._address} cannot be used: {said or type(error).__name__}") from None

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

    def _places(self, node: dict[str, Any]) -> Iterator[Place]:
        cpus = float(node["Resources"].get("CPU", 0))
        count = _gpus(node) if self._device == "cuda" else int(cpus >= 1)
        for number in range(count):
            yield Place(node["NodeID"], node["NodeManagerAddress"], number, cpus)

    # one painter

    def _paint_at(self, place: Place) -> None:
        """The life of one actor, from its start until it is lost or let go."""
        import ray

        actor = None
        why = ""
        here, there = socket_pair()
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
            why = f"the {place} does not start: {described(error)}"
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

    def _actor(self, place: Place) -> Any:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        device = self._device
        if device == "cuda":  # Ray shows each actor its own alone
            cores = min(self._threads or 1, place.cpus)
            resources: dict[str, float] = {"num_gpus": 1, "num_cpus": cores}
        else:
            resources = {"num_cpus": min(self._threads or place.cpus, place.cpus)}  # and as many threads, by Ray
        there = NodeAffinitySchedulingStrategy(place.node, soft=False)
        made = ray.remote(RayActor).options(scheduling_strategy=there, **resources)
        return made.remote(self._resident, device, self._weights)

    def _examined(self, actor: Any, place: Place) -> PainterInfo:
        """What it paints with. _UnfitError: not what we would."""
        import ray

        try:
            version, equipment, problems = ray.get(actor.hello.remote(), timeout=READY_SECONDS)
        except ray.exceptions.GetTimeoutError:
            raise _UnfitError(f"the {place} finds no room: other work of the cluster has its device") from None
        with self._lock:
            if why := unfit(version, equipment, problems, self._sha256):
                raise _UnfitError(f"the {place} cannot paint for us: {why}")
            found: PainterInfo = equipment
            self._sha256 = found.weights_sha256
        return found

    def _serve(self, actor: Any, place: Place, here: Connection) -> None:
        """Answer the daemon's calls. EOFError, OSError: it has let go."""
        import ray

        while True:
            method, arguments, patience = receive(here)
            try:
                for kind, value in self._messages(actor, method, arguments, patience, here):
                    send(here, (kind, value))
            except (ray.exceptions.RayError, StopIteration) as error:
                send(here, ("error", WorkerLost(f"the {place} was lost ({described(error)})")))
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
                yield kind, SharedArray.of(value) if kind == "result" and value is not None else value

    def _style(self, picture: SharedArray) -> Any:
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


def _gpus(node: dict[str, Any]) -> int:
    return int(node["Resources"].get("GPU", 0))


def _leaving() -> set[str]:
    """The machines that are being drained: they go on with what they have and get nothing new."""
    from ray._private.state import state  # Ray's own libraries ask there, too; there is no public way

    ask = getattr(state, "get_draining_nodes", None)
    return set(ask()) if ask else set()


def described(error: BaseException) -> str:
    """Ray's reason, of all that it says, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith("The actor is dead because")] or lines[-1:]
    return telling[0].split(". ")[0][:300] if telling else type(error).__name__
