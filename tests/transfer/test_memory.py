from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from daemon.transfer.memory import control_group_room, free_memory, is_shortage, trim_memory

MB = 1 << 20


def group(folder: Path, limit: str, used: str, cache: str, numbers: tuple[str, int, int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / limit).write_text(numbers[0])
    (folder / used).write_text(str(numbers[1]))
    (folder / "memory.stat").write_text(f"anon 1\n{cache} {numbers[2]}\n")


def test_the_least_room_of_the_control_groups_counts(tmp_path: Path) -> None:
    """Version 2: the group's own limit and its parents'; files' pages that can go are free."""
    names = ("memory.max", "memory.current", "inactive_file")
    group(tmp_path / "fs/user/app", *names, ("max", 5, 0))
    group(tmp_path / "fs/user", *names, (str(100 * MB), 80 * MB, 10 * MB))
    (tmp_path / "cgroup").write_text("0::/user/app\n")
    assert control_group_room(tmp_path / "cgroup", tmp_path / "fs") == [30 * MB]


def test_version_1_is_understood_and_a_name_from_outside_a_container_harms_nothing(tmp_path: Path) -> None:
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    group(tmp_path / "fs/memory", *names, (str(64 * MB), 60 * MB, 0))
    (tmp_path / "cgroup").write_text("4:memory:/docker/abc\n1:cpu:/\n")
    assert control_group_room(tmp_path / "cgroup", tmp_path / "fs") == [4 * MB]
    assert control_group_room(tmp_path / "none", tmp_path / "fs") == []


def test_this_machine_has_some_memory_free() -> None:
    assert 16 * MB < free_memory(torch.device("cpu")) < 1 << 50


SHORTAGES = [
    "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "cuFFT error: CUFFT_ALLOC_FAILED",
    "GET was unable to find an engine to execute this computation",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
]


@pytest.mark.parametrize("said", SHORTAGES)
def test_each_library_of_a_gpu_has_its_own_words_for_a_shortage(said: str) -> None:
    assert is_shortage(RuntimeError(said))


@pytest.mark.parametrize("said", ["an illegal memory access was encountered", "unspecified launch failure"])
def test_a_sick_gpu_is_no_shortage(said: str) -> None:
    assert not is_shortage(RuntimeError(f"CUDA error: {said}"))


@pytest.mark.parametrize(("unused", "emptied"), [(30_000, 1), (9_000, 0)])
def test_a_gpus_reserve_goes_back_when_it_is_large(monkeypatch: pytest.MonkeyPatch, unused: int, emptied: int) -> None:
    calls: list[None] = []
    fakes: dict[str, Callable[..., object]] = {
        "memory_reserved": lambda _: (10_000 + unused) * MB,
        "memory_allocated": lambda _: 10_000 * MB,
        "get_device_properties": lambda _: SimpleNamespace(total_memory=80_000 * MB),
        "empty_cache": lambda: calls.append(None),
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    trim_memory(torch.device("cuda:0"))
    assert len(calls) == emptied


def test_the_cpu_allocators_error_is_a_shortage() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert is_shortage(caught.value)
    assert is_shortage(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_shortage(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_shortage(ValueError("out of memory"))
