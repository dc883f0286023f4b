"""What one daemon consists of, put together: the only place that knows all parts."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.config.live import LiveConfig
from daemon.config.models import Config
from daemon.errors import ConfigError
from daemon.jobs.claims import JobStore
from daemon.jobs.pipeline import Pipeline
from daemon.processes.painters import Painters
from daemon.processes.ray_cluster import Cluster
from daemon.processes.readers import Readers
from daemon.service.housekeeping import Housekeeping
from daemon.service.job_threads import JobThreads
from daemon.service.listeners import Listeners
from daemon.service.preflight import style_problems
from daemon.status import Status
from daemon.storage.files import Handle
from daemon.storage.layout import Folders
from daemon.storage.lock import Lock

READERS = 2  # processes, to begin with


@dataclass(frozen=True, slots=True)
class Parts:
    """The objects behind a Service."""

    live: LiveConfig
    status: Status
    folders: Folders
    lock: Lock
    store: JobStore
    readers: Readers
    painters: Painters
    cluster: Cluster | None
    listeners: Listeners
    threads: JobThreads
    housekeeping: Housekeeping

    @property
    def device(self) -> str:
        """What is painted on, in words, such as "2 × NVIDIA H100"; "" before the first painter is ready."""
        names = [child.hello.device_name for child in self.painters.pool.children if child.hello]
        kinds = dict.fromkeys(names)
        return ", ".join(f"{names.count(each)} × {each}" if len(names) > 1 else each for each in kinds)

    @property
    def trouble(self) -> str:
        """Why nothing is painted now although photos wait; "" if photos are painted."""
        cluster = self.cluster.trouble if self.cluster else ""
        return cluster or self.painters.pool.trouble or self.readers.pool.trouble or self.threads.backoff.paused

    def start_processes(self) -> None:
        self.readers.pool.start()
        self.painters.pool.start()
        if self.cluster is not None:
            self.cluster.start()

    def close_painters(self) -> None:
        self.painters.pool.close()
        if self.cluster is not None:
            self.cluster.close()

    def check_styles(self, config: Config) -> None:
        """Wait for the first painter. Raises ConfigError for styles whose pictures no reader can read or whose preset
        needs layers that the loaded weights lack, ShuttingDown at the stop."""

        def probe(path: Path) -> None:
            self.readers.probe(Handle(os.open(path, os.O_RDONLY | os.O_CLOEXEC)))

        if problems := style_problems(config, self.painters.equipment().deepest_layer, probe):
            raise ConfigError(problems)


def build(
    path: Path,
    config: Config,
    stopping: threading.Event,
    painter: Callable[..., Any] | None = None,
    reader: Callable[..., Any] | None = None,
) -> Parts:
    """Make all objects; no file is changed and nothing is started. `path`: of config.yaml. `painter` and `reader` replace what the child
    processes hold."""
    live = LiveConfig(path, config)
    status = Status()
    folders = Folders(config.root)
    lock = Lock(folders.work / "lock")
    store = JobStore(folders)
    readers = Readers(READERS, reader)
    painters = Painters([config.device] if config.cluster == "off" else [], config.weights, painter)
    cluster = None
    if config.cluster != "off":
        cluster = Cluster(config.cluster, config.device, config.weights, config.thread_count, painters.pool, painter)
    listeners = Listeners(folders, readers, status, live)
    pipeline = Pipeline(store, readers, painters, status, listeners.notify)
    threads = JobThreads(folders, pipeline, live, stopping)
    housekeeping = Housekeeping(folders, store, lock, live)
    return Parts(live, status, folders, lock, store, readers, painters, cluster, listeners, threads, housekeeping)
