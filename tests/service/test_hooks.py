"""The user's own commands after a photo: arguments stay arguments, time is limited, failures are reported."""

import dataclasses
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.config.models import HookCommands
from daemon.events import Event
from daemon.service.hooks import LONGEST_REASON, Hooks, filled
from tests.support.daemon import process_state, wait_until
from tests.support.records import DELIVERED, FAILED


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    hooks = Hooks()
    hooks.start()
    yield hooks
    hooks.close()


def commands(**settings: object) -> HookCommands:
    return HookCommands.model_validate(settings)


def test_each_argument_stays_one_argument_whatever_the_name() -> None:
    arguments = filled(["echo", "{file} in {seconds} s", "{path}", "{unknown}", "{style}"], DELIVERED)
    assert arguments == ["echo", "alpha/a; touch x $(y).jpg in 1.2 s", "/out/a; b.jpg", "{unknown}", "alpha"]
    assert filled(["{reason}"], FAILED) == ["It is\\nblurred."]


def test_seconds_are_those_of_painting_and_the_rest_is_told_apart(hooks: Hooks, tmp_path: Path) -> None:
    assert filled(["{seconds} + {waited}"], DELIVERED) == ["1.2 + 3.5"]
    script = f'echo "$STYLED_SECONDS + $STYLED_WAITED" > {tmp_path}/times'
    hooks.put(DELIVERED, commands(on_delivered=["sh", "-c", script]))
    wait_until(lambda: (tmp_path / "times").exists() and (tmp_path / "times").read_text() == "1.2 + 3.5\n")


def test_no_name_adds_a_line_to_an_argument_and_the_path_is_there_byte_for_byte(hooks: Hooks, tmp_path: Path) -> None:
    name = "a\nSubject: b\x1b[2J.jpg"
    result = dataclasses.replace(DELIVERED, place=f"alpha/{name}", path=tmp_path / name, reason="x" * 9000)
    assert filled(["{file}", "{path}"], result) == [
        "alpha/a\\nSubject: b\\x1b[2J.jpg",
        f"{tmp_path}/a\\nSubject: b\\x1b[2J.jpg",
    ]
    assert len(filled(["{reason}"], result)[0]) == LONGEST_REASON
    result = dataclasses.replace(result, reason="")
    hooks.put(result, commands(on_delivered=["sh", "-c", 'touch "$STYLED_PATH"']))
    wait_until((tmp_path / name).exists)


def test_the_right_command_runs_without_a_shell_and_without_systemds_socket(
    hooks: Hooks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/x")
    script = "import os, sys; open(sys.argv[1], 'a').write(sys.argv[2] + str('NOTIFY_SOCKET' in os.environ) + '\\n')"
    out = tmp_path / "out"
    settings = commands(
        on_delivered=[sys.executable, "-c", script, str(out), "painted {file} "],
        on_failed=[sys.executable, "-c", script, str(out), "failed {file} "],
    )
    hooks.put(DELIVERED, settings)
    hooks.put(FAILED, settings)
    hooks.put(FAILED, commands())
    wait_until(lambda: out.exists() and out.read_text().count("\n") == 2)
    assert out.read_text() == "painted alpha/a; touch x $(y).jpg False\nfailed alpha/b.jpg False\n"
    assert not (tmp_path / "x").exists()


def test_a_command_that_takes_too_long_is_ended_with_its_children(
    hooks: Hooks, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/child; wait"
    hooks.put(DELIVERED, commands(on_delivered=["sh", "-c", script], seconds=0.5))
    wait_until(lambda: "took longer than 0.5 s" in caplog.text)
    child = int((tmp_path / "child").read_text())
    wait_until(lambda: process_state(child) in ("Z", ""))


def test_a_failure_is_reported_and_the_next_command_runs(
    hooks: Hooks, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hooks.put(DELIVERED, commands(on_delivered=["no-such-program"]))
    hooks.put(DELIVERED, commands(on_delivered=["sh", "-c", "echo the printer is out; exit 4"]))
    hooks.put(DELIVERED, commands(on_delivered=["touch", str(tmp_path / "ran")]))
    wait_until((tmp_path / "ran").exists)
    assert "no-such-program cannot be run: No such file" in caplog.text
    assert "ended with 4: the printer is out" in caplog.text
    assert [record.event for record in caplog.records] == [Event.HOOK_FAILED] * 2  # type: ignore[attr-defined]


def test_the_end_waits_for_no_command(hooks: Hooks) -> None:
    hooks.put(DELIVERED, commands(on_delivered=["sleep", "61.125"]))
    wait_until(lambda: hooks._running is not None)
    began = time.monotonic()
    hooks.close()
    assert time.monotonic() - began < 30
    assert not any(b"sleep\x0061.125" in _cmdline(pid) for pid in os.listdir("/proc") if pid.isdecimal())


def _cmdline(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("wrong", ["echo x", [""], ["echo", "{photo}"], {"a": 1}])
def test_a_command_that_is_no_list_of_arguments_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="write a list such as"):
        commands(on_delivered=wrong)
