"""Numbers for Prometheus, on the loopback address alone. Needs the extra `metrics`."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from daemon.errors import ConfigError
from daemon.status import Status

ADDRESS = "127.0.0.1"


class Server(Protocol):
    """What prometheus-client gives to stop it by."""

    def shutdown(self) -> None: ...

    def server_close(self) -> None: ...


def serve(board: Status, port: int) -> Callable[[], None]:
    """Answer http://127.0.0.1:PORT/metrics from the board; returns what stops it. ConfigError: it cannot be."""
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ImportError:
        advice = "pip install 'styled-daemon[metrics]', or metrics: off"
        raise ConfigError([f"metrics: prometheus-client is not installed; {advice}"]) from None
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Numbers(board))
    try:
        found: Any = start_http_server(port, addr=ADDRESS, registry=registry)
    except OSError as error:
        why = f"port {port} of {ADDRESS} cannot be had ({error.strerror})"
        raise ConfigError([f"metrics: {why}; write another port, or off"]) from None
    server: Server = found[0]

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop


class _Numbers:
    """Reads the board whenever Prometheus asks."""

    def __init__(self, board: Status) -> None:
        self._board = board

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        board = self._board
        waiting = GaugeMetricFamily("styled_waiting", "Pictures in the inbox.", labels=["style"])
        for style, count in dict(board.waiting).items():
            waiting.add_metric([style.encode(errors="replace").decode()], count)
        yield waiting
        yield GaugeMetricFamily("styled_in_hand", "Pictures that are being painted.", len(board.tasks()))
        yield CounterMetricFamily("styled_painted", "Pictures delivered since the start.", board.delivered)
        yield CounterMetricFamily("styled_failed", "Pictures set aside since the start.", board.failed)
        yield CounterMetricFamily("styled_steps", "Evaluations of the loss since the start.", board.steps)
        yield CounterMetricFamily("styled_painting_seconds", "Seconds of painting since the start.", board.seconds)
        held = "Memory of the device that its painter holds; of a CPU the painter's resident set."
        used = GaugeMetricFamily("styled_device_memory_used_bytes", held, labels=["device"])
        left = "Memory of the device that is free."
        free = GaugeMetricFamily("styled_device_memory_free_bytes", left, labels=["device"])
        for device, memory in dict(board.memory).items():
            used.add_metric([device], memory.used)
            if memory.free is not None:
                free.add_metric([device], memory.free)
        yield from (used, free)
