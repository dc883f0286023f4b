"""The numbers for Prometheus."""

import socket
import urllib.request

import pytest

from daemon.errors import ConfigError
from daemon.service.metrics import serve
from tests.support.statuses import a_status


def test_prometheus_gets_its_numbers_from_loopback_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    stop = serve(a_status(), port)
    try:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60).read().decode()
        with pytest.raises(ConfigError, match=rf"port {port} .* cannot be had"):
            serve(a_status(), port)
    finally:
        stop()
    assert 'styled_waiting{style="alpha"} 1200.0' in text
    assert "styled_in_hand 1.0" in text
    assert "styled_steps_total 1.0" in text
    assert 'styled_device_memory_used_bytes{device="cuda:0"} 1.610612736e+09' in text
    assert 'styled_device_memory_free_bytes{device="cuda:0"}' in text
    serve(a_status(), port)()  # the port is free again
