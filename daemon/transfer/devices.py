"""Where to paint: the devices of this machine, and what a person calls them."""

import platform
from pathlib import Path

import torch

from .recipe import DeviceError


def find_device(wanted: str) -> torch.device:
    """auto, cpu, cuda, cuda:1, mps → a device that is there; DeviceError otherwise."""
    there = ["cpu"]
    if torch.backends.mps.is_available():
        there.insert(0, "mps")
    there[:0] = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    name = {"auto": there[0], "cuda": "cuda:0"}.get(wanted, wanted)
    if name not in there:
        raise DeviceError(f"device: {wanted} is not on this machine, which has {', '.join(there)}")
    return torch.device(name)


def device_name(device: torch.device) -> str:
    """What a person calls it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
