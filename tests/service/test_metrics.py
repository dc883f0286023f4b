"""The numbers for Prometheus."""

import socket
import urllib.request

import pytest

from daemon import __version__
from daemon.errors import ConfigError
from daemon.previews import Preview
from daemon.service.metrics import serve
from daemon.status import FinishedPainting, Status
from tests.support.statuses import a_status


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def numbers(status: Status, *styles: str) -> list[str]:
    """What Prometheus gets, line by line."""
    port = free_port()
    stop = serve(status, port, lambda: styles)
    try:
        text: str = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60).read().decode()
    finally:
        stop()
    return text.splitlines()


def test_every_number_is_there_before_anything_has_happened() -> None:
    """An alert on a number that is absent never fires."""
    lines = numbers(Status(), "night", "day")
    assert any(line.startswith("styled_build_info{") and f'version="{__version__}"' in line for line in lines)
    for line in (
        'styled_waiting{style="night"} 0.0',
        'styled_waiting{style="day"} 0.0',
        'styled_painting_seconds_bucket{le="60",style="night"} 0.0',
        'styled_painting_seconds_count{style="day"} 0.0',
        "styled_in_progress 0.0",
        "styled_paused 0.0",
        "styled_last_delivery_timestamp_seconds 0.0",
        "styled_painted_total 0.0",
        "styled_failed_total 0.0",
        "styled_steps_total 0.0",
    ):
        assert line in lines, line


def test_paintings_are_counted_by_how_long_they_took() -> None:
    status = Status(trouble="the disk is full")
    for seconds in (0.5, 60.0, 61.0, 5000.0):
        status.show(FinishedPainting("night/a.jpg", "night", seconds, Preview(1, 1, b"...")))
    lines = numbers(status, "night")
    for bound, count in (("1", 1), ("30", 1), ("60", 2), ("120", 3), ("3600", 3), ("+Inf", 4)):
        assert f'styled_painting_seconds_bucket{{le="{bound}",style="night"}} {count}.0' in lines
    assert 'styled_painting_seconds_sum{style="night"} 5121.5' in lines
    assert "styled_paused 1.0" in lines
    assert any(line.startswith("styled_last_delivery_timestamp_seconds 1.") for line in lines)


def test_prometheus_gets_its_numbers_from_loopback_alone() -> None:
    port = free_port()
    stop = serve(a_status(), port)
    try:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60).read().decode()
        with pytest.raises(ConfigError, match=rf"port {port} .* cannot be had"):
            serve(a_status(), port)
    finally:
        stop()
    assert 'styled_waiting{style="alpha"} 1200.0' in text
    assert "styled_in_progress 1.0" in text
    assert "styled_steps_total 1.0" in text
    assert 'styled_device_memory_used_bytes{device="cuda:0"} 1.610612736e+09' in text
    assert 'styled_device_memory_free_bytes{device="cuda:0"}' in text
    serve(a_status(), port)()  # the port is free again
