"""Numbers for Prometheus, on the loopback address only. Needs the extra `metrics`."""

from collections.abc import Callable, Iterator
from typing import Any

from daemon.errors import ConfigError
from daemon.status import Status

ADDRESS = "127.0.0.1"


def serve(status: Status, port: int) -> Callable[[], None]:
    """Answer http://127.0.0.1:PORT/metrics from the status. Returns what stops the server. Raises ConfigError if the
    extra is not installed or the port is taken."""
    try:  # here, because only those who ask for metrics have the library
        from prometheus_client import CollectorRegistry, start_http_server
    except ImportError:
        advice = "pip install 'styled-daemon[metrics]', or metrics: off"
        raise ConfigError([f"metrics: prometheus-client is not installed; {advice}"]) from None
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Numbers(status))
    try:
        server, _ = start_http_server(port, addr=ADDRESS, registry=registry)
    except OSError as error:
        why = f"port {port} of {ADDRESS} cannot be had ({error.strerror})"
        raise ConfigError([f"metrics: {why}; write another port, or off"]) from None

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop


class _Numbers:
    """Reads the status whenever Prometheus asks."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # as in `serve`

        status = self._status
        waiting = GaugeMetricFamily("styled_waiting", "Photos in the inbox.", labels=["style"])
        for style, count in status.waiting.items():
            waiting.add_metric([style.encode(errors="replace").decode()], count)
        yield waiting
        yield GaugeMetricFamily("styled_in_hand", "Photos that are being painted.", len(status.tasks()))
        yield CounterMetricFamily("styled_painted", "Photos delivered since the start.", status.delivered)
        yield CounterMetricFamily("styled_failed", "Photos set aside since the start.", status.failed)
        yield CounterMetricFamily("styled_steps", "Evaluations of the loss since the start.", status.steps)
        yield CounterMetricFamily("styled_painting_seconds", "Seconds of painting since the start.", status.seconds)
        held = "Memory of the device that its painter holds; on a CPU the painter's resident set."
        used = GaugeMetricFamily("styled_device_memory_used_bytes", held, labels=["device"])
        left = "Memory of the device that is free."
        free = GaugeMetricFamily("styled_device_memory_free_bytes", left, labels=["device"])
        for device, memory in status.memory.items():
            used.add_metric([device], memory.used)
            if memory.free is not None:
                free.add_metric([device], memory.free)
        yield from (used, free)
