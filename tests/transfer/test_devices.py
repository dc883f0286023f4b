"""Which device is taken, where some of those on the machine cannot be used."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

import daemon.transfer
from daemon.transfer import DeviceError, devices

NAMES = {"cuda:0": "GeForce GTX 1080", "cuda:1": "H100", "cuda:2": "Tesla P4", "cuda:3": "A100"}
CAPABILITIES = {"cuda:0": (6, 1), "cuda:1": (9, 0), "cuda:2": (6, 1), "cuda:3": (8, 0)}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[torch.device]]:
    """Four GPUs, of which this torch has kernels for two; returns those that were made the current one."""
    current: list[torch.device] = []
    for found in (devices.problem_with, devices._skipped):
        found.cache_clear()
    monkeypatch.setattr(devices, "_there", lambda: [*NAMES, "cpu"])
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_80", "sm_90", "sm_120", "compute_120"])
    monkeypatch.setattr(torch.cuda, "get_device_capability", CAPABILITIES.__getitem__)
    monkeypatch.setattr(torch.cuda, "get_device_name", NAMES.__getitem__)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    monkeypatch.setattr(torch, "zeros", lambda size, device: torch.ones(size) * 0)
    yield current
    for found in (devices.problem_with, devices._skipped):
        found.cache_clear()


def test_auto_passes_over_a_gpu_that_torch_has_no_kernels_for_and_says_so_once(
    machine: list[torch.device], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "styled"):
        assert [str(devices.find_device("auto")) for _ in range(2)] == ["cuda:1", "cuda:1"]
    assert [record.__dict__["event"] for record in caplog.records] == ["device_skipped"]
    for word in ("cuda:0", "GTX 1080", "6.1", "sm_75"):
        assert word in caplog.text
    assert machine[-1] == torch.device("cuda:1")


def test_all_are_those_that_torch_has_kernels_for(machine: list[torch.device]) -> None:
    assert devices.every_device() == ["cuda:1", "cuda:3"]


@pytest.mark.usefixtures("machine")
def test_a_gpu_that_is_asked_for_and_cannot_be_used_is_an_error_that_names_the_way_out() -> None:
    with pytest.raises(DeviceError, match=r"GTX 1080.*6\.1.*sm_75.*device: cpu"):
        devices.find_device("cuda")
    with pytest.raises(DeviceError, match="not on this machine, which has cuda:0"):
        devices.find_device("cuda:7")


@pytest.mark.usefixtures("machine")
def test_where_no_gpu_computes_auto_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def sick(size: int, device: str) -> torch.Tensor:
        raise RuntimeError("CUDA error: unspecified launch failure\nmore")

    monkeypatch.setattr(torch, "zeros", sick)
    assert devices.find_device("auto") == torch.device("cpu")
    assert devices.problem_with("cuda:1") == "CUDA error: unspecified launch failure"


@pytest.mark.usefixtures("machine")
def test_a_full_gpu_is_no_sick_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(size: int, device: str) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "zeros", full)
    assert str(devices.find_device("auto")) == "cuda:1"


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("given", ["expandable_segments:True", "garbage_collection_threshold:0.6"])
def test_a_gpu_that_cannot_let_memory_grow_is_used_without(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """A virtual GPU; but what the user set is left alone."""
    changed: list[str] = []

    def virtual(size: int, device: str) -> torch.Tensor:
        if not changed:
            raise RuntimeError("CUDA driver error: operation not supported")
        return torch.ones(size) * 0

    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", given)
    monkeypatch.setattr(torch, "zeros", virtual)
    monkeypatch.setattr(torch.cuda.memory, "_set_allocator_settings", changed.append)
    ours = given.startswith("expandable")
    assert changed == []
    assert devices.problem_with("cuda:1") == ("" if ours else "CUDA driver error: operation not supported")
    assert changed == (["expandable_segments:False"] if ours else [])


def test_while_painting_a_gpu_is_the_current_one_and_computes_the_same_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entered: list[object] = []

    @contextmanager
    def device(given: torch.device) -> Iterator[None]:
        entered.append(given)
        yield
        entered.append("left")

    monkeypatch.setattr(torch.cuda, "device", device)
    before = torch.backends.cudnn.deterministic
    with devices.current(torch.device("cuda:1")):
        assert torch.backends.cudnn.deterministic
    assert torch.backends.cudnn.deterministic == before
    with devices.current(torch.device("cpu")):
        pass
    assert entered == [torch.device("cuda:1"), "left"]


def test_a_cpu_needs_no_warming_up() -> None:
    devices.warm_up(torch.device("cpu"))


@pytest.mark.parametrize(
    ("given", "set_to"),
    [
        ({}, "expandable_segments:True"),
        ({"PYTORCH_ALLOC_CONF": "x"}, None),
        ({"PYTORCH_HIP_ALLOC_CONF": "x"}, None),
        ({"PYTORCH_CUDA_ALLOC_CONF": "x"}, "x"),
    ],
)
def test_a_gpus_memory_breaks_up_less_unless_the_user_chose_otherwise(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], set_to: str | None
) -> None:
    for name in ("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF"):
        monkeypatch.setenv(name, "")  # so that monkeypatch puts back what was there
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TORCH_CUDNN_V8_API_LRU_CACHE_LIMIT", "300")
    daemon.transfer.__getattr__("Stylizer")
    assert os.environ["TORCH_CUDNN_V8_API_LRU_CACHE_LIMIT"] == "300"
    assert os.environ.get("PYTORCH_CUDA_ALLOC_CONF") == set_to


@pytest.mark.parametrize(
    ("flags", "has"), [("amx_bf16 amx_tile", True), ("avx512f avx512_bf16", False), ("avx512f", False)]
)
def test_a_cpu_computes_in_half_if_it_multiplies_bfloat16(
    monkeypatch: pytest.MonkeyPatch, flags: str, has: bool
) -> None:
    monkeypatch.setattr(devices, "_cpuinfo", lambda name: {"flags": flags}[name])
    assert devices.computes_in_half(torch.device("cpu")) == has


@pytest.mark.parametrize(
    ("capability", "hip", "has"), [((7, 5), None, False), ((8, 0), None, True), ((9, 4), "6.2", False)]
)
def test_a_gpu_computes_in_half_from_ampere_on(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], hip: str | None, has: bool
) -> None:
    monkeypatch.setattr(torch.version, "hip", hip)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert devices.computes_in_half(torch.device("cuda:0")) == has
    assert not devices.computes_in_half(torch.device("mps"))
