from pathlib import Path

import pytest
import torch

from daemon.transfer.memory import control_group_room, free_memory, is_shortage

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


def test_the_cpu_allocators_error_is_a_shortage() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert is_shortage(caught.value)
    assert is_shortage(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_shortage(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_shortage(ValueError("out of memory"))
