"""The parts of a daemon. Only this module knows all parts and puts them together."""

import os
import threading
from pathlib import Path

from daemon.config.live import LiveConfig
from daemon.config.models import Config
from daemon.errors import ConfigError, StartLater, WorkerDied
from daemon.jobs.claims import JobStore
from daemon.jobs.failures import last_line
from daemon.jobs.pipeline import Pipeline
from daemon.processes.messages import Factory
from daemon.processes.painters import PAINTER, PainterChild, Painters
from daemon.processes.ray_cluster import Cluster
from daemon.processes.readers import Readers
from daemon.service.housekeeping import Housekeeping
from daemon.service.job_threads import JobThreads
from daemon.service.listeners import Listeners
from daemon.service.preflight import Probe, check_next_start, style_problems
from daemon.status import Status
from daemon.storage.files import Handle
from daemon.storage.layout import Folders
from daemon.storage.lock import Lock

READERS = 2  # processes, to begin with
LONGEST_TRIAL = 40.0  # s; the main loop waits for this, and systemd for the main loop
PROBE_SIDE = 256  # px; a check decodes the whole style picture and keeps it at this size


class Parts:
    """The objects behind a Service. Making them changes no file and starts nothing."""

    def __init__(
        self,
        path: Path,
        config: Config,
        stopping: threading.Event,
        painter: Factory | None = None,
        reader: Factory | None = None,
    ) -> None:
        """`path`: where `config` was read. `painter` and `reader` replace what the child processes hold."""
        self.live = LiveConfig(path, config)
        self._painter = painter or PAINTER
        self.status = Status()
        self.folders = Folders(config.root)
        self.lock = Lock(self.folders.work / "lock")
        self.store = JobStore(self.folders)
        self.readers = Readers(READERS, reader)
        is_alone = config.cluster == "off"
        self.painters = Painters(
            [config.device] if is_alone else [], config.weights, painter, lambda: self.live.current.stall_seconds
        )
        cluster = config.cluster, config.device, config.weights, config.thread_count, self.painters.pool, painter
        self.cluster = None if is_alone else Cluster(*cluster, trust_network=config.trust_network)
        self.listeners = Listeners(self.folders, self.readers, self.status, self.live)
        pipeline = Pipeline(self.store, self.readers, self.painters, self.status, self.listeners.notify)
        self.threads = JobThreads(self.folders, pipeline, self.live, stopping)
        self.housekeeping = Housekeeping(self.folders, self.store, self.lock, self.live)

    @property
    def device(self) -> str:
        """The painters' devices in words, such as "2 × NVIDIA H100"; "" before the first painter is ready."""
        names = [child.ready_info.device_name for child in self.painters.pool.children if child.ready_info]
        kinds = dict.fromkeys(names)
        return ", ".join(f"{names.count(each)} × {each}" if len(names) > 1 else each for each in kinds)

    @property
    def trouble(self) -> str:
        """Why nothing is painted now although photos wait; "" if photos are painted."""
        cluster = self.cluster.trouble if self.cluster else ""
        return cluster or self.painters.pool.trouble or self.readers.pool.trouble or self.threads.obstacles.paused

    def start_processes(self) -> None:
        self.readers.pool.start()
        self.painters.pool.start()
        if self.cluster is not None:
            self.cluster.start()

    def close_painters(self) -> None:
        self.painters.pool.close()
        if self.cluster is not None:
            self.cluster.close()

    def check_start(self, config: Config) -> dict[str, str]:
        """Wait for the first painter. Returns the styles whose pictures are not there, with the reason. Raises
        ConfigError for styles whose pictures no reader can decode or whose preset needs layers that the loaded weights
        lack, ShuttingDown at the stop."""
        down: dict[str, str] = {}
        if problems := style_problems(config, self.painters.info().deepest_layer, self._probe(config), down):
            raise ConfigError(problems)
        return down

    def check_reload(self, config: Config) -> None:
        """Raises ConfigError as `check_start`, and also for missing pictures and for settings that would end the next
        start."""
        if problems := style_problems(config, self.painters.info().deepest_layer, self._probe(config)):
            raise ConfigError(problems)
        check_next_start(self.live.current, config, self._load_model)

    def _probe(self, config: Config) -> Probe:
        def probe(path: Path) -> None:
            file = Handle(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
            self.readers.read(file, max_megapixels=config.max_megapixels, size=PROBE_SIDE, name=path.name)

        return probe

    def _load_model(self, config: Config) -> None:
        """Load the model in a painter of its own, which then ends. Raises ConfigError or StartLater."""
        trial = PainterChild("trial painter", self._painter, config.device, config.weights)
        try:
            trial.ready(LONGEST_TRIAL)
        except WorkerDied as death:
            raise StartLater([f"device: {last_line(death)}"]) from None
        finally:
            trial.close()
