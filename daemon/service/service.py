"""The daemon's life: startup → main loop → shutdown.

Signal handlers only set flags; the main loop looks at the flags a few times a second. The first Ctrl+C or TERM ends the
loop; the second ends the process at once.
"""

import contextlib
import faulthandler
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from daemon.config.models import NEED_RESTART, Config
from daemon.config.saved import NAME, Saved, as_text
from daemon.errors import ExitCode, ShuttingDown
from daemon.events import Event, about
from daemon.inbox.inbox import Inbox
from daemon.processes.messages import Factory
from daemon.service.limits import raise_open_files
from daemon.service.metrics import serve
from daemon.service.obstacles import GiveUpTimer
from daemon.service.parts import Parts
from daemon.service.reload import reload
from daemon.service.systemd import SystemdClient
from daemon.status import Status, StatusFile
from daemon.storage.files import make, write_atomically
from daemon.storage.layout import Folders
from daemon.storage.lock import Lock
from daemon.text import duration, escape

log = logging.getLogger("styled")

TICK_SECONDS = 0.25
LISTED = 50  # most photos that the status names in each of its lists
SHUTDOWN_SECONDS = 4.0  # seconds, of the five that are promised


class Service:
    """One daemon on one root. `run` is its whole life; `stop` may be called from any thread."""

    def __init__(
        self,
        path: Path,
        config: Config,
        on_tick: Callable[[Status], None] = lambda status: None,
        *,
        painter: Factory | None = None,
        reader: Factory | None = None,
    ) -> None:
        """`path`: where `config` was read and is read again. `painter` and `reader`: see Parts."""
        self.stopping = threading.Event()
        self.reload_wanted = False
        self._on_tick = on_tick
        self._began_with = config
        self._parts = Parts(path, config, self.stopping, painter, reader)
        self.status = self._parts.status
        self._status_file = StatusFile(self.status, self._parts.folders.work / "status.json")
        self._systemd = SystemdClient()
        self._inbox: Inbox | None = None  # until the jobs of an earlier run are finished or put back
        self._give_up_timer = GiveUpTimer()
        self._given_up = ""  # with --once: why the photos that are left cannot be painted now
        self._stop_metrics: Callable[[], None] = lambda: None

    def run(self, *, once: bool = False) -> int:
        """Work until `stop` or, with `once`, until the inbox is empty or the photos that are left cannot be painted
        now. Returns the exit code. Raises ConfigError if the settings cannot work, and the error that ended a thread
        unexpectedly."""
        try:
            self.startup(once)
            self.main_loop(once)
        finally:
            self.shutdown()
        if self._parts.threads.crash is not None:
            raise self._parts.threads.crash
        waiting = sum(self._inbox.waiting().values()) if self._inbox is not None else 0
        log.info("stopped: %s", summed_up(self.status, waiting), extra=about(Event.STOPPED))
        if self._given_up and self._inbox is not None:
            left = sum(self._inbox.waiting().values())
            said = "given up: %s; %d pictures are left in the inbox for another time"
            log.error(said, self._given_up, left, extra=about(Event.GIVEN_UP, left=left))
            return ExitCode.FAILURE
        if self._parts.housekeeping.has_lost_root:
            return ExitCode.FAILURE
        return ExitCode.PICTURES_FAILED if once and self.status.failed else ExitCode.DONE

    def stop(self) -> None:
        self.stopping.set()

    # startup

    def startup(self, once: bool) -> None:
        """Prepare the folders, lock the root, recover jobs, start the inbox. Photos are claimed while the painter still
        loads."""
        parts, config = self._parts, self._parts.live.current
        os.umask(os.umask(0) | 0o002)  # other users may not write into anything that the daemon makes
        raise_open_files()
        take_root(parts.folders, parts.lock, config.inbox_folders)
        self._keep_settings(config)
        parts.start_processes()
        if config.metrics != "off":
            self._stop_metrics = serve(self.status, config.metrics, lambda: parts.live.current.styles)
        parts.listeners.start()
        finished, returned = parts.store.recover()
        if finished or returned:
            said = "after the last run: %d jobs finished, %d photos put back into the inbox"
            log.info(said, finished, returned, extra=about(Event.RECOVERED, finished=finished, returned=returned))
        self._inbox = Inbox(
            parts.folders.inbox,
            styles=config.inbox_folders,
            default_style=config.default_style,
            settle_seconds=config.settle_seconds,
            once=once,
        )
        parts.threads.adjust(self._inbox, parts.painters.count)
        parts.housekeeping.start(self.stopping)
        threading.Thread(target=self._get_ready, args=(self._inbox,), name="ready", daemon=True).start()

    def _get_ready(self, inbox: Inbox) -> None:
        """Runs in a thread, so that signals and the console go on while the model loads."""
        parts = self._parts
        with contextlib.suppress(ShuttingDown), parts.threads.crash_ends_all():
            for style, why in parts.check_start(parts.live.current).items():
                text = "the style %s is down: %s; its photos wait, and the picture is looked for again"
                log.error(text, escape(style), why, extra=about(Event.STYLE_DOWN, style=style))
            while not inbox.health().is_fresh:  # watched, and listed once
                if self.stopping.wait(0.05):
                    return
            self.status.ready(parts.device, parts.painters.info().weights)
            self._systemd.notify("READY=1")

    # main loop

    def main_loop(self, once: bool) -> None:
        while not self.stopping.is_set():
            self._tick()
            if once and (not self._parts.threads.at_work or self._has_given_up()):
                return
            # not while the model is loading: its weights decide whether new settings can work
            if self.status.state == "watching" and (self._parts.live.changed_on_disk() or self.reload_wanted):
                self.reload_wanted = False
                self._reload()
            self.stopping.wait(TICK_SECONDS)

    def _tick(self) -> None:
        inbox, parts = self._inbox, self._parts
        if inbox is not None:
            parts.readers.tend(parts.painters.count)
            parts.threads.adjust(inbox, parts.painters.count)
            paused = parts.threads.obstacles.folders
            self.status.observe(device=parts.device, trouble=parts.trouble, waiting=inbox.waiting(), paused=paused)
            if self._status_file.is_due():
                self.status.list_photos(*_photos(inbox))
                self._status_file.update()
        self._systemd.tick(self.status, inbox.health() if inbox else None, parts.live.current.stall_seconds)
        self._on_tick(self.status)

    def _has_given_up(self) -> bool:
        """Whether --once ends although photos are left, because it does not wait for a disk or a device that is to be
        repaired."""
        missing = self._inbox.trouble() if self._inbox is not None else ""
        reason = self.status.trouble or self._parts.threads.obstacles.any_reason or missing
        if self._give_up_timer.expired(self.status, reason):
            self._given_up = reason
        return bool(self._given_up)

    def _reload(self) -> None:
        self._systemd.reloading()
        with contextlib.suppress(ShuttingDown):
            self.status.reject(reload(self._parts.live, self._parts.check_reload, self._configure))
            self._systemd.notify("READY=1")

    def _keep_settings(self, config: Config) -> None:
        """Keep the running settings for the commands, because config.yaml may be wrong or not in force."""
        running = config.model_copy(update={name: getattr(self._began_with, name) for name in NEED_RESTART})
        text = as_text(Saved(self._parts.live.path, running))
        with contextlib.suppress(OSError):  # the disk is full
            write_atomically(self._parts.folders.root / NAME, text, durable=False)

    def _configure(self, config: Config) -> None:
        self._keep_settings(config)
        if self._inbox is not None:
            self._inbox.configure(
                styles=config.inbox_folders, default_style=config.default_style, settle_seconds=config.settle_seconds
            )

    # shutdown

    def shutdown(self) -> None:
        """Take no more photos, stop painters and readers, and put every photo in hand back into the inbox."""
        parts = self._parts
        self._systemd.stopping(SHUTDOWN_SECONDS + 2)
        self.status.enter("stopping")
        self.stopping.set()
        if self._inbox is not None:
            self._inbox.wake()
        parts.close_painters()
        parts.listeners.close()
        self._stop_metrics()
        parts.readers.pool.close()
        parts.threads.join(SHUTDOWN_SECONDS)
        if self._inbox is not None:
            if self._given_up:
                self._inbox.scan()  # every photo in hand has gone back
            self._inbox.close()
        self.status.enter("stopped")
        if parts.lock.is_ours():
            self._status_file.write()
            parts.store.journal.seen_time.save()
        parts.lock.release()


def summed_up(status: Status, waiting: int) -> str:
    """What a run did, for a person. `waiting`: photos in the inbox, without the photos that the stop put back there."""
    seconds = sum(each.seconds for each in status.durations.values())
    painting = f" in {duration(seconds)} of painting" if status.delivered else ""
    parts = [f"{status.delivered:,} painted{painting}"]
    parts += [f"{status.failed:,} failed"] if status.failed else []
    parts += [f"{status.returned:,} went back into the inbox unfinished"] if status.returned else []
    parts += [f"{waiting:,} wait in the inbox"] if waiting and not status.returned else []
    parts += [f"{waiting:,} more wait there"] if waiting and status.returned else []
    return "; ".join(parts)


def take_root(folders: Folders, lock: Lock, styles: Iterable[str]) -> None:
    """Lock the root, then make and try its folders. Raises ConfigError if a folder cannot be used, StartLater if
    another daemon has the root or the disk fails."""
    with contextlib.suppress(OSError):  # then `prepare` says what is wrong
        make(folders.work)
        lock.acquire()
    folders.prepare(styles)
    if not lock.acquired:
        lock.acquire()


def _photos(inbox: Inbox) -> tuple[list[str], list[dict[str, Any]], list[dict[str, str]]]:
    """For the status: the next photos, the photos that are not complete, and the folders that are not painted; the last
    two with the reason."""
    upcoming = [escape(photo.path) for photo in inbox.upcoming(LISTED)]
    growing = [
        {"file": escape(each.photo.path), "why": each.why, "seconds": each.seconds} for each in inbox.growing()[:LISTED]
    ]
    left = [{"file": escape(each.path), "why": each.description} for each in inbox.left()[:LISTED]]
    return upcoming, growing, left


def handle_signals(service: Service) -> None:
    """TERM and INT stop; the second of them ends the process at once. HUP reloads, or stops the daemon if its terminal
    was closed; under nohup HUP only reloads."""
    terminals = [fd for fd in range(3) if os.isatty(fd)]
    is_kept = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN

    def stop(number: int, frame: FrameType | None) -> None:
        if service.stopping.is_set():
            if sys.stderr.isatty():
                os.write(2, b"\x1b[?25h\n")  # the live view hides the cursor
            os._exit(128 + number)
        service.stop()

    def hang_up(number: int, frame: FrameType | None) -> None:
        if terminals and not is_kept and not any(map(os.isatty, terminals)):
            service.stop()
        else:
            service.reload_wanted = True

    faulthandler.enable()  # ABRT, which systemd's watchdog sends, logs where each thread stands
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, hang_up)
