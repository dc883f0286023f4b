"""What runs in the bridge process: the connection to a Ray cluster, with one thread and one socket per painter."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from cachetools import LRUCache
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from daemon.backoff import pause
from daemon.errors import ConfigError, WorkerDied, WorkerLost
from daemon.processes.answers import send_answer
from daemon.processes.child_process import catch_output
from daemon.processes.messages import Connection, Factory, Progress, receive
from daemon.processes.painters import PainterInfo
from daemon.processes.ray_actor import Message, RayActor
from daemon.processes.ray_checks import MODE, is_loopback, unfit, unguarded
from daemon.processes.ray_machines import Place, draining, gpus, places
from daemon.processes.remote_child import socket_pair
from daemon.processes.shared_array import SharedArray
from daemon.transfer.network.weights import describe
from daemon.transfer.steps import Step

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray must not report usage to its makers
    "RAY_worker_niceness": "0",  # in a cluster of this machine alone, as for painters of this machine
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the default of a later version of Ray
}
LOOK_SECONDS = 1.0  # between two looks at the cluster's machines
READY_SECONDS = 300.0  # for an actor to get its device and load its model
RETRY_SECONDS = (1.0, 5.0, 15.0, 60.0)  # between two attempts to start a painter
STYLES_KEPT = 32  # pictures that stay in the cluster


@dataclass(slots=True)
class _Post:
    """What the bridge knows about a place."""

    is_running: bool = False  # a thread starts a painter there or serves it
    has_joined: bool = False
    failures: int = 0  # in a row
    rests_until: float = 0.0  # by the monotonic clock
    why: str = ""  # of the last failure


class _UnfitError(Exception):
    """The actor cannot paint for us."""


class RayBridge:
    """The object that the bridge process holds."""

    ready_info = None
    answers_with = (WorkerDied,)

    def __init__(
        self, address: str, device: str, weights: str, threads: int | None, resident: Factory, trust_network: bool
    ) -> None:
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        mode = os.environ.get(MODE, "").lower()
        if address == "local" and not mode:  # Ray listens on every network, and by default asks for a token
            os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)  # rather than one that Ray would write to a file
        self._is_guarded = trust_network or mode == "token" or address == "local"
        catch_output("Ray")
        self._address, self._device, self._threads, self._resident = address, device, threads, resident
        self._weights, self._sha256 = weights, ""
        if weights == "auto":  # the weights of this machine, so that all machines paint with the same
            here = describe(weights)
            self._weights, self._sha256 = here.kind, here.sha256
        self._tell: Progress = lambda *details: None
        self._trouble = ""
        self._lock = threading.Lock()  # guards all below, and `_sha256`
        self._posts: dict[Place, _Post] = {}
        self._styles: LRUCache[tuple[int, int], tuple[SharedArray, Any]] = LRUCache(STYLES_KEPT)

    def tend(self, progress: Progress) -> None:
        """Keep a painter on every device until the cluster is lost. Reports ("size", machines, device), ("joined",
        name, the daemon's end of a socket, PainterInfo), ("left", name) and ("trouble", why there is no painter).

        Raises WorkerDied if the cluster is lost, and ConfigError if it cannot be used.
        """
        self._tell = progress
        self._connect()
        own = ray.get_runtime_context().get_node_id()
        while True:
            nodes = [node for node in ray.nodes() if node["Alive"]]
            if not self._is_guarded and not all(is_loopback(node["NodeManagerAddress"]) for node in nodes):
                raise ConfigError([unguarded(nodes[0]["NodeManagerAddress"] + ":", trust_network=False)])
            if own not in {node["NodeID"] for node in nodes}:
                raise WorkerDied("cluster: this host's own part of it has ended")
            self._settle(nodes)
            time.sleep(LOOK_SECONDS)

    def _connect(self) -> None:
        at: dict[str, Any] = {"address": self._address}
        if self._address == "local":
            at["include_dashboard"] = False
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

    # the machines

    def _settle(self, nodes: Sequence[dict[str, Any]]) -> None:
        """Start painters on new devices, dismiss painters whose devices have gone, and report why there is no
        painter."""
        if self._device in ("auto", "all"):
            # decided once: with `size: auto` a GPU paints larger, so the kinds do not mix
            self._device = "cuda" if any(gpus(node) for node in nodes) else "cpu"
            self._tell("size", len(nodes), self._device)
        leaving_soon = draining()
        wanted = {place for node in nodes if node["NodeID"] not in leaving_soon for place in places(node, self._device)}
        starting, leaving, trouble = self._changes(wanted)
        if not wanted:
            what = "GPU" if self._device == "cuda" else "CPU"
            trouble = f"cluster: none of its {len(nodes)} machines has a {what} for a painter"
        for place in leaving:
            self._tell("left", str(place))
        if trouble != self._trouble:
            self._trouble = trouble
            self._tell("trouble", trouble)
        for place in starting:
            threading.Thread(target=self._run, args=(place,), name=str(place), daemon=True).start()

    def _changes(self, wanted: set[Place]) -> tuple[list[Place], list[Place], str]:
        """The places where a painter should start, the places whose painter should leave, and why there is no
        painter."""
        now = time.monotonic()
        with self._lock:
            posts = {place: self._posts.get(place) or _Post() for place in wanted}
            starting = [place for place, post in posts.items() if not post.is_running and post.rests_until <= now]
            leaving = [place for place, post in self._posts.items() if post.has_joined and place not in wanted]
            for place in starting:
                posts[place].is_running = True
            for place in leaving:
                self._posts[place].has_joined = False
            whys = {post.why for post in posts.values()} - {""}
            has_painter = any(post.has_joined for post in posts.values())
            self._posts = {place: post for place, post in self._posts.items() if post.is_running} | posts
        return starting, leaving, "" if has_painter else "; ".join(sorted(whys))

    # one painter

    def _run(self, place: Place) -> None:
        """The thread of a place: run a painter there, and note why if it does not start."""
        why = self._paint_at(place)
        with self._lock:
            post = self._posts[place]
            post.is_running = post.has_joined = False
            if why:
                post.failures, post.why = post.failures + 1, why
                post.rests_until = time.monotonic() + pause(RETRY_SECONDS, post.failures)

    def _paint_at(self, place: Place) -> str:
        """The life of an actor, until it is lost or the daemon lets it go. Returns why it did not start, or ""."""
        actor = None
        here, there = socket_pair()
        try:
            actor = self._actor(place)
            info = self._examined(actor, place)
            with self._lock:
                post = self._posts[place]
                post.has_joined, post.failures, post.why = True, 0, ""
            self._tell("joined", str(place), there, info)
            there.close()
            self._serve(actor, place, here)
        except _UnfitError as unfit:
            return str(unfit)
        except ray.exceptions.RayError as error:
            return f"the {place} does not start: {described(error)}"
        except (EOFError, OSError):
            pass  # the daemon has let the painter go
        finally:
            here.close()
            with contextlib.suppress(Exception):
                ray.kill(actor)
        return ""

    def _actor(self, place: Place) -> Any:
        device = self._device
        if device == "cuda":  # Ray shows each actor only its own GPU
            cores = min(self._threads or 1, place.cpus)
            resources: dict[str, float] = {"num_gpus": 1, "num_cpus": cores}
        else:
            resources = {"num_cpus": min(self._threads or place.cpus, place.cpus)}  # Ray sets as many threads
        there = NodeAffinitySchedulingStrategy(place.node, soft=False)
        made = ray.remote(RayActor).options(scheduling_strategy=there, **resources)
        return made.remote(self._resident, device, self._weights)

    def _examined(self, actor: Any, place: Place) -> PainterInfo:
        """The actor's PainterInfo. Raises _UnfitError if the actor cannot paint with the others."""
        try:
            version, info, problems = ray.get(actor.ready_info.remote(), timeout=READY_SECONDS)
        except ray.exceptions.GetTimeoutError:
            raise _UnfitError(f"the {place} finds no room: other work of the cluster has its device") from None
        with self._lock:
            if why := unfit(version, info, problems, self._sha256):
                raise _UnfitError(f"the {place} cannot paint for us: {why}")
            found: PainterInfo = info
            self._sha256 = found.weights_sha256
        return found

    def _serve(self, actor: Any, place: Place, here: Connection) -> None:
        """Answer the daemon's calls. Raises EOFError or OSError when the daemon lets the painter go."""
        while True:
            method, arguments, patience = receive(here)
            try:
                for kind, value in self._messages(actor, method, arguments, patience, here):
                    if kind == "progress":
                        value = tuple(place.named(each) if isinstance(each, Step) else each for each in value)
                    send_answer(here, kind, value)
            except (ray.exceptions.RayError, StopIteration) as error:
                send_answer(here, "error", WorkerLost(f"the {place} was lost ({described(error)})"))
                return

    def _messages(
        self, actor: Any, method: str, arguments: tuple[Any, ...], patience: float | None, here: Connection
    ) -> Iterator[Message]:
        """The actor's answers to a call, in order; the last is a result or an error. Raises RayError if it is lost."""
        if method == "paint":
            content, style, recipe, threads, film = arguments
            weights = tuple(weight for _, weight in style)
            pictures = [self._style(picture) for picture, _ in style]
            stream = actor.paint.remote(recipe, threads, film, patience, weights, ray.put(content.array()), *pictures)
        else:
            stream = actor.try_out.remote(patience)
        kind = ""
        while kind not in ("result", "error"):
            while not ray.wait([stream], timeout=1.0)[0]:
                if here.poll():
                    raise EOFError  # the daemon sends nothing during a call, so it has closed the socket
            for kind, value in ray.get(next(stream)):
                yield kind, SharedArray.of(value) if kind == "result" and value is not None else value

    def _style(self, picture: SharedArray) -> Any:
        """Ray's reference to a style picture, so that each picture travels only once to each machine."""
        status = os.fstat(picture.handle.fd)  # no other array has this inode as long as the cache holds the array open
        key = (status.st_dev, status.st_ino)
        with self._lock:
            if key not in self._styles:
                self._styles[key] = (picture, ray.put(picture.array()))
            return self._styles[key][1]


def described(error: BaseException) -> str:
    """Ray's reason in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith("The actor is dead because")] or lines[-1:]
    return telling[0].split(". ")[0][:300] if telling else type(error).__name__
