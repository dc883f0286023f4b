"""How much memory a device has to give, what it looks like when it has none left, and who keeps what was freed."""

import ctypes
import os
import resource
import sys
from pathlib import Path

import torch

from .steps import Memory

GUESS = 4 << 30  # bytes, where a system tells nothing
HELD = 1 << 30  # bytes, of one array or of all that lies free
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's names for what mallopt sets


def free_memory(device: torch.device) -> int:
    """Bytes that can be had on the device now, as far as the system can tell."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # ours, and unused
        return torch.cuda.mem_get_info(device)[0] + cached
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return max(0, min(_available(), *control_group_room(), GUESS << 20))


def keep_freed_memory() -> None:
    """From now on this process keeps what it frees, for the next evaluation, until `give_back`.

    By default the C library gives every large array back and gets the next one page by page: a tenth of the time.
    """
    if set_option := getattr(ctypes.CDLL(None), "mallopt", None):  # glibc's; others do as they do
        set_option(M_MMAP_THRESHOLD, HELD)
        set_option(M_TRIM_THRESHOLD, HELD)


def trim_memory() -> None:
    """To the system, what this process has freed."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def memory(device: torch.device) -> Memory:
    """What this process holds of the device now: on the CPU its resident set."""
    if device.type == "cuda":
        return Memory(str(device), torch.cuda.memory_reserved(device), torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return Memory(str(device), torch.mps.driver_allocated_memory(), None)
    return Memory(str(device), _resident(), None)


def _resident() -> int:
    statm = Path("/proc/self/statm")
    if statm.is_file():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # no Linux: the most that it ever was
    return most if sys.platform == "darwin" else most << 10


def _available() -> int:
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    try:  # no Linux: half of what is built in
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (ValueError, OSError):
        return GUESS


def control_group_room(membership: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> list[int]:
    """Bytes left below each memory limit of this process's control groups, of version 1 or 2."""
    rooms = []
    for line in membership.read_text().splitlines() if membership.is_file() else []:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            names, top = ("memory.max", "memory.current", "inactive_file"), root
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            top = root / "memory"
        else:
            continue
        own = top / path.lstrip("/")
        for folder in (own, *own.parents)[: len(own.relative_to(top).parts) + 1]:  # each one's limit holds
            room = _room(folder, *names)
            rooms += [] if room is None else [room]
    return rooms


def _room(folder: Path, limit: str, usage: str, cache: str) -> int | None:
    """None: no limit, or none that can be read."""
    try:
        most, used = int((folder / limit).read_text()), int((folder / usage).read_text())
        statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    return max(0, most - used + int(statistics.get(cache, 0)))  # files' pages give way


def is_shortage(error: BaseException) -> bool:
    """Whether an error says that memory ran out: torch's own, the CPU allocator's, Apple's or numpy's."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = str(error)
    return isinstance(error, RuntimeError) and any(
        words in said for words in ("can't allocate memory", "not enough memory", "out of memory")
    )
