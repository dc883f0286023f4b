"""The numbers for Prometheus."""

import socket
import urllib.request

import pytest

from daemon.errors import ConfigError
from daemon.service.metrics import serve
from daemon.status import Status
from daemon.transfer.steps import Memory, Step


def board() -> Status:
    board = Status(state="watching", device="a GPU", weights="embedded", waiting={"alpha": 1200, "beta": 0})
    board.begin("1", "alpha/a.jpg", "alpha")
    board.stage("1", "painting")
    board.step("1", Step(30, 120, 0.125, 1, 2, 0.25, Memory("cuda:0", 3 << 29, 5 << 30)))
    return board


def test_prometheus_gets_its_numbers_from_loopback_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    stop = serve(board(), port)
    try:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60).read().decode()
        with pytest.raises(ConfigError, match=rf"port {port} .* cannot be had"):
            serve(board(), port)
    finally:
        stop()
    assert 'styled_waiting{style="alpha"} 1200.0' in text
    assert "styled_in_hand 1.0" in text
    assert "styled_steps_total 1.0" in text
    assert 'styled_device_memory_used_bytes{device="cuda:0"} 1.610612736e+09' in text
    assert 'styled_device_memory_free_bytes{device="cuda:0"}' in text
    serve(board(), port)()  # the port is free again
