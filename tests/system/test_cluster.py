"""Painters on other machines, through a real Ray and real nodes, really killed."""

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from daemon.config.load import load
from daemon.errors import ConfigError, ExitCode
from daemon.events import Event
from tests.support.daemon import Daemon, Start, wait_until
from tests.support.folders import adds_up, drop
from tests.support.samples import CONFIG, jpeg

pytestmark = pytest.mark.slow

STYLES = ("alpha", "beta", "gamma", "delta")
PICTURES = 40
LONG = 240.0  # seconds, for a machine that is busy with other things

with_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed (pip install '.[ray]')"
)


class Nodes:
    """A cluster of two machines with one core each, which are processes of this one."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.support.nodes"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = self._answer()

    def say(self, command: str) -> int:
        assert self.process.stdin is not None
        print(command, file=self.process.stdin, flush=True)
        return int(self._answer())

    def end(self) -> None:
        with self.process as process:  # closes its pipes, and waits
            assert process.stdin is not None

    def _answer(self) -> str:
        assert self.process.stdout is not None
        answer = self.process.stdout.readline().strip()
        assert answer, "the cluster ended"
        return answer


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    running = Nodes()
    yield running
    running.end()


def configured(root: Path, address: str) -> None:
    """Four styles; `address`: of the cluster, or none."""
    pictures = "".join(
        f"  {style}: {{picture: {root / 'alpha.png'}, style_weight: {1 + n}}}\n" for n, style in enumerate(STYLES)
    )
    text = CONFIG.partition("styles:")[0].replace("size: 48", "size: 24")
    where = f"cluster: {address}\ntrust_network: yes\n" if address else ""
    (root / "config.yaml").write_text(f"{text}{where}styles:\n{pictures}")


def drop_in_all(root: Path, count: int = PICTURES) -> None:
    for number in range(count):
        content = jpeg(32, 24, seed=number, kind="PNG")
        drop(root, f"{number}.png", style=STYLES[number % len(STYLES)], content=content)


def painted(root: Path) -> list[Path]:
    return sorted(path for path in (root / "outbox").glob("[a-z]*/*.png") if path.parent.name in STYLES)


def actors() -> list[int]:
    """The processes of a Ray that hold our painters."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cmdline").read_bytes().startswith(b"ray::RayActor"):
                found.append(int(process.name))
        except OSError:
            continue  # it has ended
    return found


def all_delivered_once(root: Path, daemon: Daemon) -> None:
    wait_until(lambda: len(painted(root)) >= PICTURES, LONG, daemon.text)
    assert daemon.stop() == 0
    wanted = {f"{STYLES[number % len(STYLES)]}/{number}.png" for number in range(PICTURES)}
    assert {str(path.relative_to(root / "outbox")) for path in painted(root)} == wanted
    assert len(list((root / "done").rglob("*.png"))) == PICTURES
    assert not list((root / "failed").rglob("*.*")), daemon.text()
    adds_up(root)
    assert len(daemon.events(Event.PAINTED)) == PICTURES, daemon.text()


@with_ray
def test_a_cluster_paints_what_a_painter_of_this_host_paints(
    root: Path, tmp_path: Path, start: Start, nodes: Nodes
) -> None:
    for place, address in (("here", ""), ("there", nodes.address)):
        (root / place).mkdir()
        (root / place / "alpha.png").write_bytes((root / "alpha.png").read_bytes())
        configured(root / place, address)
        drop_in_all(root / place, 4)
        daemon = start("--once", at=root / place)
        assert daemon.process.wait(LONG) == 0, daemon.text()
    here, there = painted(root / "here"), painted(root / "there")
    assert len(here) == len(there) == 4
    for one, other in zip(here, there, strict=True):
        with Image.open(one) as a, Image.open(other) as b:
            assert np.array_equal(np.asarray(a), np.asarray(b)), one.name


@with_ray
def test_an_actor_that_is_killed_ten_times_loses_no_picture_and_blames_none(
    root: Path, start: Start, nodes: Nodes
) -> None:
    configured(root, nodes.address)
    (root / "slow").write_text("0.2")
    drop_in_all(root)
    daemon = start(fast=True)
    for kill in range(10):
        wait_until(lambda: len(painted(root)) > kill and actors(), LONG, daemon.text)  # noqa: B023
        os.kill(actors()[-1], signal.SIGKILL)
    all_delivered_once(root, daemon)
    assert daemon.events(Event.RETURNED)


@with_ray
def test_a_machine_that_is_lost_costs_no_picture_and_one_that_joins_is_used(
    root: Path, start: Start, nodes: Nodes
) -> None:
    configured(root, nodes.address)
    (root / "slow").write_text("0.3")
    drop_in_all(root)
    daemon = start(fast=True)
    wait_until(lambda: len(daemon.events(Event.CLUSTER_JOINED)) >= 2 and len(painted(root)) >= 5, LONG, daemon.text)
    assert nodes.say("kill 0") == 1
    wait_until(lambda: len(painted(root)) >= 15, LONG, daemon.text)
    before = len(daemon.events(Event.CLUSTER_JOINED))
    assert nodes.say("add") == 2
    wait_until(lambda: len(daemon.events(Event.CLUSTER_JOINED)) > before, LONG, daemon.text)
    all_delivered_once(root, daemon)


@pytest.mark.parametrize(
    ("lines", "right"),
    [
        ("cluster: ray://10.0.0.1:10001\n", "cluster: 'ray://10.0.0.1:10001' cannot be used; write off, local, or"),
        (
            "cluster: local\ndevice: cuda:1\n",
            "cluster: works with device: auto, all, cpu or cuda; cuda:1 is a device of this machine",
        ),
    ],
)
def test_what_cannot_be_a_cluster_is_refused(root: Path, lines: str, right: str) -> None:
    path = root / "config.yaml"
    path.write_text(lines + CONFIG.replace("device: cpu\n", "" if "device" in lines else "device: cpu\n"))
    with pytest.raises(ConfigError, match=right.replace("(", r"\(")):
        load(path)


@with_ray
def test_an_open_cluster_is_refused_unless_the_network_is_trusted(root: Path, start: Start, nodes: Nodes) -> None:
    configured(root, nodes.address)
    config = root / "config.yaml"
    config.write_text(config.read_text().replace("trust_network: yes\n", ""))
    daemon = start(fast=True)
    assert daemon.process.wait(LONG) == ExitCode.CONFIGURATION
    assert "may run programs as the user that runs styled" in daemon.text()


def test_a_cluster_that_is_gone_hinders_but_stops_nothing(root: Path, start: Start) -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed (pip install '.[ray]')")
    configured(root, "127.0.0.1:1")
    daemon = start(fast=True)
    daemon.wait_for(Event.CLUSTER_LOST, LONG)
    assert daemon.process.poll() is None
    assert daemon.stop() == 0
