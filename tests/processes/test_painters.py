"""Painters, one per device, and what starts their replacements."""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.processes.painters import Painters
from tests.support.daemon import wait_until
from tests.support.residents import OneOfTwoGpus


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "starts"


@pytest.fixture
def painters(notes: Path, request: pytest.FixtureRequest) -> Iterator[Painters]:
    painters = Painters([request.param], "auto", functools.partial(OneOfTwoGpus, notes))
    yield painters
    for child in painters.pool.children:
        child.close()


def replace_painter(painters: Painters, device: str) -> None:
    """Kill the painter of `device`, and take all painters, so that a replacement has to be up."""
    (child,) = [child for child in painters.pool.children if child.ready_info.device == device]
    child.kill()
    wait_until(lambda: not child.running)
    take_all(painters)


def take_all(painters: Painters) -> None:
    with contextlib.ExitStack() as taken:
        for _ in range(painters.count):
            taken.enter_context(painters.take())


@pytest.mark.parametrize("painters", ["auto"], indirect=True)
def test_a_replacement_is_started_on_the_device_that_the_painter_reported(painters: Painters, notes: Path) -> None:
    assert painters.info().device == "cuda:0"
    replace_painter(painters, "cuda:0")
    assert notes.read_text().splitlines() == ["auto auto", "cuda:0 embedded"], "not `auto`, which is the CPU by now"
    with painters.take() as painter:
        assert painter.info.device == "cuda:0"


@pytest.mark.parametrize("painters", ["all"], indirect=True)
def test_of_several_gpus_each_keeps_its_painter(painters: Painters, notes: Path) -> None:
    assert painters.info().device == "cuda:0"
    take_all(painters)
    assert [child.name for child in painters.pool.children] == ["painter cuda:0", "painter cuda:1"]
    replace_painter(painters, "cuda:0")
    starts = [line.split()[0] for line in notes.read_text().splitlines()]
    assert starts == ["all", "cuda:1", "cuda:0"], "`all` would begin with a device that another painter may have"
    assert sorted(child.ready_info.device for child in painters.pool.children) == ["cuda:0", "cuda:1"]
