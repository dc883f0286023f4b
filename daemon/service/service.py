"""The daemon's life: startup → main loop → shutdown.

Signal handlers only set flags; the main loop looks at them a few times a second. The first Ctrl+C or TERM ends
the loop, a second one forces.
"""

import contextlib
import faulthandler
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from daemon.config.changes import describe_changes
from daemon.config.load import load
from daemon.config.models import Config
from daemon.errors import ConfigError, ShuttingDown
from daemon.inbox.inbox import Inbox
from daemon.jobs.claims import JobStore
from daemon.jobs.pipeline import Pipeline
from daemon.processes.messages import Factory
from daemon.processes.painters import PainterInfo, Painters
from daemon.processes.ray_cluster import Cluster
from daemon.processes.readers import Readers
from daemon.service.backoff import GiveUpTimer
from daemon.service.housekeeping import Housekeeping
from daemon.service.job_threads import JobThreads
from daemon.service.listeners import Listeners
from daemon.service.metrics import serve
from daemon.service.preflight import style_problems
from daemon.service.reload import FileChange
from daemon.service.systemd import Restarts, SystemdClient
from daemon.status import Status, write_status
from daemon.storage.files import Handle, make
from daemon.storage.layout import Folders
from daemon.storage.lock import Lock
from daemon.text import escape

log = logging.getLogger("styled")

TICK_SECONDS = 0.25
STATUS_SECONDS = 1.0
LISTED = 50  # pictures that the status names, of those that wait and of those that grow
SHUTDOWN_SECONDS = 4.0  # of the five that are promised


class Service:
    """One daemon on one root. `run` is its whole life; `stop` may be called from any thread."""

    def __init__(
        self,
        path: Path,
        config: Config,
        on_tick: Callable[[Status], None] = lambda board: None,
        *,
        painter: Factory | None = None,
        reader: Factory | None = None,
    ) -> None:
        """`painter` and `reader`: what lives in those processes, if it is not to be the usual."""
        self.path = path
        self.config = config
        self.board = Status()
        self.stopping = threading.Event()
        self.reload_wanted = False
        self._on_tick = on_tick
        self._saved = FileChange(path)
        self._posted = 0.0
        self.folders = Folders(config.root)
        self.lock = Lock(self.folders.work / "lock")
        self.claims = JobStore(self.folders)
        self.readers = Readers(2, reader)
        self.painters = Painters([config.device] if config.cluster == "off" else [], config.weights, painter)
        self.cluster = self._joined(config, painter)
        self.audience = Listeners(self.folders, self.readers, self.board, lambda: self.config)
        self.journey = Pipeline(self.claims, self.readers, self.painters, self.board, self.audience.tell)
        self.workers = JobThreads(self.folders, self.journey, lambda: self.config, self.stopping)
        self.once = GiveUpTimer()
        self.in_vain = ""  # with --once: why the pictures that are left cannot be painted now
        self.keeper = Housekeeping(self.folders, self.claims, self.lock, lambda: self.config)
        self.inbox: Inbox | None = None
        self._stop_metrics: Callable[[], None] = lambda: None
        self.supervisor = SystemdClient()
        self._restarts = Restarts(self.folders.work / "restarts")

    def _joined(self, config: Config, painter: Factory | None) -> Cluster | None:
        if config.cluster == "off":
            return None
        of = config.cluster, config.device, config.weights, config.thread_count
        return Cluster(*of, self.painters.pool, painter)

    def run(self, *, once: bool = False) -> int:
        """Until `stop` or, with `once`, until the inbox is empty or what is left cannot be painted now. Returns the
        exit code. ConfigError: settings."""
        try:
            self.startup(once)
            self.main_loop(once)
        finally:
            self.shutdown()
        crash = self.workers.crash
        if crash is None or isinstance(crash, ConfigError):
            self._restarts.ended_well()
        if crash is not None:
            raise crash
        if self.in_vain and self.inbox is not None:
            left = sum(self.inbox.waiting().values())
            log.error("given up: %s; %d pictures are left, as they are, for another time", self.in_vain, left)
            return 1
        return 3 if once and self.board.failed else 0

    def stop(self) -> None:
        self.stopping.set()

    # startup

    def startup(self, once: bool) -> None:
        """Folders, lock, recovery, doorbell. Pictures are claimed while the painter is still loading."""
        os.umask(os.umask(0) | 0o002)  # nothing that we make is anybody's to write
        with contextlib.suppress(OSError):  # then `prepare` says what is wrong
            make(self.folders.work)
            self.lock.acquire()
        self.folders.prepare(self.config.styles)
        if not self.lock.acquired:
            self.lock.acquire()
        self._pause_after_crashes()
        self.readers.pool.start()
        self.painters.pool.start()
        if self.cluster is not None:
            self.cluster.start()
        if self.config.metrics != "off":
            self._stop_metrics = serve(self.board, self.config.metrics)
        self.audience.start()
        finished, returned = self.claims.recover()
        if finished or returned:
            log.info("after the last run: %d jobs finished, %d pictures put back into the inbox", finished, returned)
        self.inbox = Inbox(
            self.folders.inbox,
            styles=self.config.styles,
            default_style=self.config.default_style,
            settle_seconds=self.config.settle_seconds,
            once=once,
        )
        self.workers.tend(self.inbox, self.painters.count)
        self.keeper.start(self.stopping)
        threading.Thread(target=self._get_ready, name="ready", daemon=True).start()

    def _pause_after_crashes(self) -> None:
        """Whoever starts us again after each crash must not keep the machine busy with it."""
        if not self.supervisor.listens:
            return
        row, seconds = self._restarts.begin()
        if seconds:
            log.warning("the daemon ended unexpectedly %d times in a row; it begins in %.0f s", row, seconds)
            self.supervisor.notify(f"STATUS=begins in {seconds:.0f} s, after {row} unexpected ends in a row")
            self.stopping.wait(seconds)

    def _get_ready(self) -> None:
        """In a thread of its own, so that signals and the console go on while the model loads."""
        with contextlib.suppress(ShuttingDown), self.workers.crash_ends_all():
            equipment = self.painters.info()
            self._check_styles(self.config, equipment)
            self.board.device, self.board.weights = self._device(), equipment.weights
            while not (self.inbox and self.inbox.health().is_fresh):  # watched, and listed once
                if self.stopping.wait(0.05):
                    return
            self.board.state = "watching"
            self.supervisor.notify("READY=1")

    def _check_styles(self, config: Config, equipment: PainterInfo) -> None:
        """ConfigError: a style whose pictures are no pictures, or whose preset needs layers the weights lack."""

        def probe(path: Path) -> None:
            self.readers.probe(Handle(os.open(path, os.O_RDONLY | os.O_CLOEXEC)))

        if problems := style_problems(config, equipment.deepest_layer, probe):
            raise ConfigError(problems)

    # main loop

    def main_loop(self, once: bool) -> None:
        while not self.stopping.is_set():
            self._tick()
            if once and (not self.workers.at_work or self._is_in_vain()):
                return
            # not while the painter is still loading: to judge new settings one must know its weights
            if self.board.state == "watching" and (self._saved.changed() or self.reload_wanted):
                self.reload_wanted = False
                self.reload()
            self.stopping.wait(TICK_SECONDS)

    def _is_in_vain(self) -> bool:
        """With --once nobody waits until a disk or a device works again."""
        assert self.inbox is not None
        trouble = self.board.trouble or self.workers.troubles.anywhere or self.inbox.trouble()
        if self.once.is_in_vain(self.board, trouble):
            self.in_vain = trouble
        return bool(self.in_vain)

    def _tick(self) -> None:
        if self.inbox is not None:
            self.readers.tend(self.painters.count)
            self.workers.tend(self.inbox, self.painters.count)
            self.board.waiting = self.inbox.waiting()
            self.board.device = self._device()
            self.board.trouble = self._trouble()
        now = time.monotonic()
        if now - self._posted >= STATUS_SECONDS and self.inbox is not None:
            self._posted = now
            self.board.upcoming = [escape(each.path) for each in self.inbox.upcoming(LISTED)]
            self.board.growing = [
                {"file": escape(each.arrival.path), "why": each.why, "seconds": each.seconds}
                for each in self.inbox.growing()[:LISTED]
            ]
            with contextlib.suppress(OSError):  # a full disk hides the status but stops nothing
                write_status(self.board, self.folders.work / "status.json")
        self.supervisor.tick(self.board, self.inbox.health() if self.inbox else None)
        self._on_tick(self.board)

    def _device(self) -> str:
        """What is painted on, as a person calls it; empty before the first painter is ready."""
        names = [child.ready_info.device_name for child in self.painters.pool.children if child.ready_info]
        kinds = dict.fromkeys(names)
        return ", ".join(f"{names.count(each)} × {each}" if len(names) > 1 else each for each in kinds)

    def _trouble(self) -> str:
        """Why nothing is painted, although pictures wait."""
        cluster = self.cluster.trouble if self.cluster else ""
        return cluster or self.painters.pool.trouble or self.readers.pool.trouble or self.workers.troubles.now

    # reload

    def reload(self) -> None:
        """Take the new settings, or keep the running ones and say everything that is wrong with the new."""
        self.supervisor.reloading()
        try:
            new = load(self.path)
            self._check_styles(new, self.painters.info())
            Folders(self.config.root).prepare(new.styles)  # last: until its style is taken, a new folder names none
        except ConfigError as error:
            for problem in error.problems:
                log.error("config.yaml: %s", problem)
            log.error("config.yaml was not taken; the running settings stay as they are")
        except ShuttingDown:
            return
        else:
            self._take(new)
        self.supervisor.notify("READY=1")

    def _take(self, new: Config) -> None:
        for setting in self.config.changes_that_need_restart(new):
            log.warning("%s was changed; that takes effect at the next start", setting)
        changes = describe_changes(self.config, new)
        log.info("config.yaml was read again: %s", "; ".join(changes) or "nothing has changed")
        for name in self.config.styles.keys() - new.styles.keys():
            log.info("the style %s is gone; its folders are left as they are", name)
        self.config = new
        assert self.inbox is not None
        self.inbox.configure(styles=new.styles, default_style=new.default_style, settle_seconds=new.settle_seconds)

    # shutdown

    def shutdown(self) -> None:
        """No more pictures; painters and readers are stopped, and every job in hand goes back."""
        self.supervisor.stopping(SHUTDOWN_SECONDS + 2)
        self.board.state = "stopping"
        self.stopping.set()
        if self.inbox is not None:
            self.inbox.wake()
        self.painters.pool.close()
        if self.cluster is not None:
            self.cluster.close()
        self.audience.close()
        self._stop_metrics()
        self.readers.pool.close()
        self.workers.join(SHUTDOWN_SECONDS)
        if self.inbox is not None:
            if self.in_vain:
                self.inbox.scan()  # every picture in hand has gone back
            self.inbox.close()
        self.board.state = "stopped"
        with contextlib.suppress(OSError):
            if self.lock.acquired:
                write_status(self.board, self.folders.work / "status.json")
        self.lock.release()


def handle_signals(service: Service) -> None:
    """TERM and INT stop, and force the second time; HUP reloads."""

    def stop(number: int, frame: FrameType | None) -> None:
        if service.stopping.is_set():
            if sys.stderr.isatty():
                os.write(2, b"\x1b[?25h\n")  # the live view hides the cursor
            os._exit(128 + number)
        service.stop()

    def reload(number: int, frame: FrameType | None) -> None:
        service.reload_wanted = True

    faulthandler.enable()  # ABRT, by which systemd's watchdog ends us, shows where each thread stands
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, reload)
