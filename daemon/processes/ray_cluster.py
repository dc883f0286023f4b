"""The same painters on other machines: Ray actors, one per device, that join the pool of painters and leave it.

Ray lives in a process of its own, the bridge: it ends its process when it loses its cluster, brings some two dozen
threads with it, and needs more memory than all the rest of the daemon. The bridge gives each actor a line to the
daemon, by which it is called like a painter process of this host. The actor holds such a process on its own machine;
so what a picture does there is told apart from what befalls the machine, and only the former is held against it.
"""

from __future__ import annotations

import importlib.util
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

from daemon import __version__
from daemon.errors import ConfigError, WorkerDied
from daemon.processes.child import Child
from daemon.processes.messages import Factory
from daemon.processes.painters import PAINTER, PainterInfo
from daemon.processes.pool import Member, Pool
from daemon.processes.remote_child import RemoteChild
from daemon.storage.files import Handle

log = logging.getLogger("styled")

BRIDGE = "daemon.processes.ray_bridge:RayBridge"
RETRY_SECONDS = (1.0, 5.0, 15.0, 60.0)  # between attempts, to reach the cluster and to start one of its painters
REACH_SECONDS = 5.0  # for the cluster's address to answer at all


class Cluster:
    """Keeps `pool` filled with the painters of a cluster, as they come and go."""

    def __init__(
        self,
        address: str,
        device: str,
        weights: str,
        threads: int | None,
        pool: Pool[Member],
        resident: Factory | None = None,
    ) -> None:
        """`address`: local, for one of our own, or host:port. `resident`: as in Painters."""
        self.trouble = ""  # why it has no painter for us
        self._pool = pool
        self._bridge = Child("bridge to the cluster", BRIDGE, address, device, weights, threads, resident or PAINTER)
        self._lines: dict[str, RemoteChild] = {}
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
            except (ConfigError, WorkerDied) as error:
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

    def _joined(self, name: str, end: Handle, hello: PainterInfo) -> None:
        self._left(name)
        line = self._lines[name] = RemoteChild(name, end, hello)
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


def unfit(version: str, equipment: PainterInfo | None, problems: str, sha256: str) -> str:
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
