"""What is said when a cluster, or a painter of it, cannot be used."""

import importlib.util

import pytest

from daemon import __version__
from daemon.processes.painters import PainterInfo
from daemon.processes.ray_checks import not_installed, unfit, unguarded, unreachable


def test_a_cluster_without_ray_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install 'styled-daemon[ray]'" in not_installed()


def test_a_cluster_that_does_not_answer_says_what_to_look_at() -> None:
    assert "127.0.0.1:1 cannot be reached (Connection refused)" in unreachable("127.0.0.1:1")
    assert not unreachable("local")


@pytest.mark.parametrize(
    ("address", "trust", "mode", "is_refused"),
    [
        ("10.0.0.1:6379", False, "", True),
        ("10.0.0.1:6379", False, "disabled", True),
        ("head.local:6379", False, "", True),
        ("10.0.0.1:6379", True, "", False),
        ("10.0.0.1:6379", False, "token", False),
        ("127.0.0.1:6379", False, "", False),
        ("localhost:6379", False, "", False),
        ("[::1]:6379", False, "", False),
        ("[fd00::1]:6379", False, "", True),
        ("local", False, "", False),
        ("local", False, "disabled", True),
        ("local", True, "disabled", False),
    ],
)
def test_a_cluster_that_others_can_reach_needs_a_token_or_trust(
    address: str, trust: bool, mode: str, is_refused: bool
) -> None:
    why = unguarded(address, trust, {"RAY_AUTH_MODE": mode} if mode else {})
    assert bool(why) == is_refused
    assert not why or ("RAY_AUTH_MODE=token" in why and "trust_network: yes" in why)


def test_a_painter_of_another_version_or_with_other_weights_is_unfit() -> None:
    info = PainterInfo("cpu", "a test", "embedded", "5e5e5e", "relu3_1")
    assert not unfit(__version__, info, "", "")
    assert not unfit(__version__, info, "", "5e5e5e")
    assert "has styled 0.0.9" in unfit("0.0.9", info, "", "")
    assert "are not those of the others" in unfit(__version__, info, "", "1a1a1a")
    assert unfit(__version__, None, "device: no cuda", "") == "device: no cuda"
