"""Numbers for Prometheus, on the loopback address only. Needs the extra `metrics`."""

import importlib.util
import itertools
import platform
import socket
import sys
from collections.abc import Callable, Collection, Iterator
from typing import Any

from daemon import __version__
from daemon.errors import ConfigError, StartLater
from daemon.status import BUCKETS, Durations, Status

ADDRESS = "127.0.0.1"


def serve(status: Status, port: int, styles: Callable[[], Collection[str]] = tuple) -> Callable[[], None]:
    """Answer http://127.0.0.1:PORT/metrics from the status. `styles` returns the names of the configured styles, whose
    numbers are there from the start. Returns a function that stops the server. Raises ConfigError if the extra is not
    installed, StartLater if the port is taken."""
    check_port(port)
    from prometheus_client import CollectorRegistry, start_http_server  # only users of metrics have it installed

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Numbers(status, styles))
    server, _ = start_http_server(port, addr=ADDRESS, registry=registry)

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop


def check_port(port: int) -> None:
    """Raises the exceptions that `serve` would raise for this port."""
    if importlib.util.find_spec("prometheus_client") is None:
        advice = f"run {sys.executable} -m pip install prometheus-client (for a service: install.sh --with metrics)"
        raise ConfigError([f"metrics: prometheus-client is not installed; {advice}, or write metrics: off"])
    try:
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server
            trial.bind((ADDRESS, port))
    except OSError as error:
        why = f"port {port} of {ADDRESS} cannot be had ({error.strerror})"
        raise StartLater([f"metrics: {why}; write another port, or off"]) from None


class _Numbers:
    """Reads the status whenever Prometheus asks."""

    def __init__(self, status: Status, styles: Callable[[], Collection[str]]) -> None:
        self._status = status
        self._styles = styles

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily  # as in `serve`

        status = self._status
        build = {"version": __version__, "python": platform.python_version()}
        yield InfoMetricFamily("styled_build", "The version of styled.", build)
        yield from self._by_style()
        yield GaugeMetricFamily("styled_in_progress", "Photos that are being painted.", len(status.tasks()))
        yield GaugeMetricFamily("styled_paused", "1 while nothing can be painted.", int(bool(status.trouble)))
        last = "When the last painting was delivered, seconds since 1970; 0: none since the start."
        yield GaugeMetricFamily("styled_last_delivery_timestamp_seconds", last, status.last_delivery)
        yield CounterMetricFamily("styled_painted", "Photos delivered since the start.", status.delivered)
        yield CounterMetricFamily("styled_failed", "Photos set aside since the start.", status.failed)
        yield CounterMetricFamily("styled_steps", "Evaluations of the loss since the start.", status.steps)
        held = "Memory of the device that its painter holds; on a CPU the painter's resident set."
        used = GaugeMetricFamily("styled_device_memory_used_bytes", held, labels=["device"])
        left = "Memory of the device that is free."
        free = GaugeMetricFamily("styled_device_memory_free_bytes", left, labels=["device"])
        for device, memory in status.memory.items():
            used.add_metric([device], memory.used)
            if memory.free is not None:
                free.add_metric([device], memory.free)
        yield from (used, free)

    def _by_style(self) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily

        status = self._status
        waiting = GaugeMetricFamily("styled_waiting", "Photos in the inbox.", labels=["style"])
        took = HistogramMetricFamily("styled_painting_seconds", "Seconds of painting of each photo.", labels=["style"])
        for style in {**dict.fromkeys(self._styles()), **status.waiting, **status.durations}:
            label, durations = [style.encode(errors="replace").decode()], status.durations.get(style, Durations())
            waiting.add_metric(label, status.waiting.get(style, 0))
            bounds = [*map(str, BUCKETS), "+Inf"]
            buckets = list(zip(bounds, itertools.accumulate(durations.counts), strict=True))
            took.add_metric(label, buckets, durations.seconds)
        yield from (waiting, took)
