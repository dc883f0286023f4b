"""The daemon's side of a Ray cluster: its painters join the pool and leave the pool.

Ray lives in a process of its own, the bridge, because Ray ends its process when the cluster is lost, starts some two
dozen threads, and needs more memory than the rest of the daemon together. The bridge gives the daemon a socket to each
actor, so that the daemon calls a painter elsewhere like a painter process of this machine. The actor holds a painter
process on its own machine. So the daemon can tell a photo that kills its painter, which counts against the photo, from
a machine that is lost.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from daemon.backoff import pause
from daemon.errors import ConfigError, WorkerDied
from daemon.events import Event, about
from daemon.processes.child import Child
from daemon.processes.messages import Factory
from daemon.processes.painters import PAINTER, PainterInfo
from daemon.processes.pool import Member, Pool
from daemon.processes.ray_checks import not_installed, unguarded, unreachable
from daemon.processes.remote_child import RemoteChild
from daemon.storage.files import Handle

log = logging.getLogger("styled")

BRIDGE = "daemon.processes.ray_bridge:RayBridge"
RETRY_SECONDS = (1.0, 5.0, 15.0, 60.0)  # between two attempts to reach the cluster


class Cluster:
    """Adds the painters of a cluster to `pool`, and removes painters that have left."""

    def __init__(
        self,
        address: str,
        device: str,
        weights: str,
        threads: int | None,
        pool: Pool[Member],
        resident: Factory | None = None,
        *,
        trust_network: bool = False,
    ) -> None:
        """`address`: "local" for a cluster of this machine alone, or host:port. `resident`: as in Painters.
        `trust_network`: see ray_checks.unguarded."""
        self.trouble = ""  # why the cluster has no painter for us
        self._address = address
        self._pool = pool
        self._trust_network = trust_network
        arguments = address, device, weights, threads, resident or PAINTER, trust_network
        self._bridge = Child("bridge to the cluster", BRIDGE, *arguments)
        self._painters: dict[str, RemoteChild] = {}  # by their names
        self._failures = 0  # to reach the cluster, since a painter joined
        self._has_worked = False
        self._closed = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="cluster", daemon=True).start()

    def close(self) -> None:
        """End the bridge, and with it the painters."""
        self._closed.set()
        self._bridge.kill()

    def _run(self) -> None:
        if why := not_installed() or unguarded(self._address, self._trust_network):
            self._pool.refuse(ConfigError([why]))
            return
        while not self._closed.is_set():
            try:
                self._tend()
            except (ConfigError, WorkerDied) as error:
                if self._closed.is_set():
                    return
                if isinstance(error, ConfigError) and not self._has_worked:
                    self._pool.refuse(error)
                    return
                self._report(str(error).strip().splitlines()[-1])
            for name in list(self._painters):
                self._left(name)
            self._bridge.close()
            self._failures += 1
            self._closed.wait(pause(RETRY_SECONDS, self._failures))

    def _tend(self) -> None:
        """Let painters join and leave until the cluster is lost. Raises WorkerDied or ConfigError."""
        if why := unreachable(self._address):
            raise WorkerDied(why)
        self._bridge.call("tend", progress=self._heard)

    def _heard(self, what: str, *details: Any) -> None:
        handlers: dict[str, Callable[..., None]] = {
            "size": self._sized,
            "joined": self._joined,
            "left": self._left,
            "trouble": self._report,
        }
        handlers[what](*details)

    def _sized(self, machines: int, device: str) -> None:
        fields = about(Event.CLUSTER_SIZE, machines=machines, device=device)
        log.info("the cluster has %d machines; they paint by %s", machines, device, extra=fields)

    def _joined(self, name: str, end: Handle, info: PainterInfo) -> None:
        self._left(name)
        painter = self._painters[name] = RemoteChild(name, end, info)
        self._has_worked, self._failures = True, 0
        self._pool.add(painter)
        log.info("the %s has joined: %s", name, info.device_name, extra=about(Event.CLUSTER_JOINED, worker=name))

    def _left(self, name: str) -> None:
        """Give the painter no more photos; a photo that it paints now is finished, if that is possible."""
        if painter := self._painters.pop(name, None):
            self._pool.remove(painter)
            log.info("the %s has left", name, extra=about(Event.CLUSTER_LEFT, worker=name))

    def _report(self, trouble: str) -> None:
        """Log a trouble once, however often it is found, and its end, which is ""."""
        if trouble and trouble != self.trouble:
            log.error("%s; styled tries again by itself", trouble, extra=about(Event.CLUSTER_LOST))
        elif self.trouble and not trouble:
            log.warning("the cluster has a painter again", extra=about(Event.CLUSTER_BACK))
        self.trouble = trouble
