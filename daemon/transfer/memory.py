"""How much memory a device has free, which errors mean that memory ran out, and when freed memory is given back."""

import ctypes
import os
import resource
import sys
from pathlib import Path

import torch

from .steps import Memory

GUESS = 4 << 30  # bytes that count as free where the system gives no figure
HELD = 1 << 30  # bytes, of an array or of all free memory, up to which the C library keeps freed memory
RESERVE = 0.25  # share of a GPU's memory that torch may keep unused
# Messages of the libraries when memory ran out: of torch, the CPU's allocator, cuBLAS, cuFFT, cuDNN.
SHORTAGES = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "ALLOC_FAILED",
    "ALLOCATION_FAILED",
    "unable to find an engine",  # cuDNN's message if there is no memory for its workspace
)
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's names for what mallopt sets


def free_memory(device: torch.device) -> int:
    """Bytes that this process can allocate on the device now, as far as the system can tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] + _unused(device)
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return max(0, min(_available(), *control_group_room(), GUESS << 20))


def keep_freed_memory() -> None:
    """Let this process keep freed memory for the next evaluation, until `trim_memory`.

    By default glibc gives every large array back to the system and gets the next array page by page, which takes a
    tenth of a painting's time.
    """
    if set_option := getattr(ctypes.CDLL(None), "mallopt", None):  # only glibc has this option
        set_option(M_MMAP_THRESHOLD, HELD)
        set_option(M_TRIM_THRESHOLD, HELD)


def trim_memory(device: torch.device) -> None:
    """Give freed memory back to the system. A GPU's is given back if it exceeds RESERVE of the GPU.

    Otherwise a painter would keep tens of GB of a GPU after a large picture. Less is kept: allocating takes time.
    """
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
    if device.type == "cuda" and _unused(device) > RESERVE * torch.cuda.get_device_properties(device).total_memory:
        torch.cuda.empty_cache()


def _unused(device: torch.device) -> int:
    """Bytes of a GPU that torch's allocator keeps and no tensor uses."""
    return torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def memory(device: torch.device) -> Memory:
    """What this process uses of the device now; on the CPU its resident set."""
    if device.type == "cuda":
        return Memory(str(device), torch.cuda.memory_reserved(device), torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return Memory(str(device), torch.mps.driver_allocated_memory(), None)
    return Memory(str(device), _resident(), None)


def _resident() -> int:
    statm = Path("/proc/self/statm")
    if statm.is_file():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # not Linux: the peak
    return most if sys.platform == "darwin" else most << 10


def _available() -> int:
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    try:  # not Linux: half of the machine's memory
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (ValueError, OSError):
        return GUESS


def control_group_room(membership: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> list[int]:
    """Bytes left below each memory limit of this process's control groups (version 1 or 2); [] without limits."""
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
        for folder in (own, *own.parents)[: len(own.relative_to(top).parts) + 1]:  # every limit up to the root applies
            room = _room(folder, *names)
            rooms += [] if room is None else [room]
    return rooms


def _room(folder: Path, limit: str, usage: str, cache: str) -> int | None:
    """Bytes left below the limit of a control group; None if there is no limit that can be read."""
    try:
        most, used = int((folder / limit).read_text()), int((folder / usage).read_text())
        statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    return max(0, most - used + int(statistics.get(cache, 0)))  # the kernel frees cached files first


def is_shortage(error: BaseException) -> bool:
    """Whether an error means that memory ran out."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in SHORTAGES)
