"""Where to paint: the devices of this machine, and what a person calls them."""

import platform
from pathlib import Path

import torch

from .errors import DeviceError
from .network.kernels import loaded


def _there() -> list[str]:
    """The devices of this machine, the best first."""
    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return cuda + (["mps"] if torch.backends.mps.is_available() else []) + ["cpu"]


def every_device() -> list[str]:
    """All devices of the best kind: each GPU, or the CPU, which is one."""
    there = _there()
    return [name for name in there if name.partition(":")[0] == there[0].partition(":")[0]]


def find_device(wanted: str) -> torch.device:
    """auto, cpu, cuda, cuda:1, mps → a device that is there; DeviceError otherwise."""
    there = _there()
    name = {"auto": there[0], "cuda": "cuda:0"}.get(wanted, wanted)
    if name not in there:
        raise DeviceError(f"device: {wanted} is not on this machine, which has {', '.join(there)}")
    return torch.device(name)


def device_name(device: torch.device) -> str:
    """What a person calls it; of a CPU also whether its kernels are compiled, without which other bits come out."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{_processor()}, {capability} kernels" if device.type == "cpu" and loaded() else _processor()


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
