"""The devices of this machine: which of them this torch can use, and their names for people."""

import logging
import os
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F

from .errors import DeviceError, first_line
from .memory import is_shortage
from .network.kernels import loaded

log = logging.getLogger("styled")

GROWING = "expandable_segments:True"  # the setting of torch's allocator; some virtual GPUs lack what it needs
FFT_PLANS = 64  # cuFFT's plans for sizes of pictures, which hold up to 0.5 MB of the GPU each, and torch keeps 4096
HALF_FLAGS = ("amx_bf16",)  # of CPUs; AVX512-BF16 alone is no faster than our kernels in single precision


def _there() -> list[str]:
    """The devices of this machine, the best first, whether they work or not."""
    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return cuda + (["mps"] if torch.backends.mps.is_available() else []) + ["cpu"]


def every_device() -> list[str]:
    """All devices of the best kind that works: every GPU that this torch has kernels for, or ["cpu"]."""
    first, there = str(find_device("auto")), _there()
    kind = first.partition(":")[0]
    others = there[there.index(first) + 1 :]
    return [first, *(name for name in others if name.startswith(f"{kind}:") and not _lacks_kernels(name))]


def find_device(wanted: str) -> torch.device:
    """auto, cpu, cuda, cuda:N or mps → a device that works; a CUDA GPU becomes torch's current device.

    `auto` takes the best device that works and logs a warning, once, for each device that does not work. Raises
    DeviceError if another device is not on this machine or this torch cannot use it.
    """
    there = _there()
    if wanted == "auto":
        wanted = next(name for name in there if not _skipped(name))  # the CPU always works
    name = "cuda:0" if wanted == "cuda" else wanted
    if name not in there:
        raise DeviceError(f"device: {wanted} is not on this machine, which has {', '.join(there)}")
    if problem := problem_with(name):
        raise DeviceError(f"device: {wanted} cannot be used: {problem}. Set `device: cpu`, or install another torch.")
    device = torch.device(name)
    if device.type == "cuda":
        torch.cuda.set_device(device)  # CUDA graphs, streams and pinned memory use the current device
    return device


@cache
def _skipped(name: str) -> bool:
    """Whether `auto` skips a device; logs the reason once."""
    problem = problem_with(name)
    if problem:
        log.warning("%s is not used: %s", name, problem, extra={"event": "device_skipped"})
    return bool(problem)


@cache
def problem_with(name: str) -> str:
    """Why this torch cannot compute on a device, found by a tiny kernel; "" if it can, or if the GPU is only full."""
    if name == "cpu":
        return ""
    if lack := _lacks_kernels(name):
        return lack
    problem = _trial(name)
    if "not supported" in problem and os.environ.get("PYTORCH_CUDA_ALLOC_CONF") == GROWING:
        with warnings.catch_warnings(action="ignore"):  # the same function has another name in torch 2.14
            torch.cuda.memory._set_allocator_settings(GROWING.replace("True", "False"))
        problem = _trial(name)
    return problem


def _trial(name: str) -> str:
    try:
        return "" if torch.zeros(1, device=name).add_(1).item() == 1 else "it computes 0 + 1 wrongly"
    except RuntimeError as error:
        return "" if is_shortage(error) else first_line(error)


def _lacks_kernels(name: str) -> str:
    """Why this torch has no kernels for a GPU; "" if it has. Creates no CUDA context, which would take memory."""
    if not name.startswith("cuda") or not torch.cuda.get_arch_list():
        return ""
    major, minor = torch.cuda.get_device_capability(name)
    for kind, _, number in (architecture.partition("_") for architecture in torch.cuda.get_arch_list()):
        found = int("".join(filter(str.isdigit, number)) or 0)
        if kind not in ("sm", "compute"):
            return ""  # not an NVIDIA GPU
        if (kind == "sm" and found // 10 == major and found % 10 <= minor) or (
            kind == "compute" and found <= 10 * major + minor
        ):
            return ""
    known = ", ".join(torch.cuda.get_arch_list())
    return f"{torch.cuda.get_device_name(name)} has capability {major}.{minor}, and this torch has kernels for {known}"


@contextmanager
def current(device: torch.device) -> Iterator[None]:
    """Make a GPU of CUDA this thread's current device, because graphs, streams and pinned memory use that device, and
    let cuDNN compute the same bits each time."""
    if device.type != "cuda":
        yield
        return
    before = torch.backends.cudnn.deterministic
    with torch.cuda.device(device):
        torch.backends.cudnn.deterministic = True
        try:
            yield
        finally:
            torch.backends.cudnn.deterministic = before


def warm_up(device: torch.device) -> None:
    """Load the libraries that a GPU's first painting would wait for, 1 to 3 s on CUDA; does nothing on a CPU."""
    if device.type == "cpu":
        return
    if device.type == "cuda":
        torch.backends.cuda.cufft_plan_cache[device].max_size = FFT_PLANS
    x = torch.ones(1, 4, 32, 32, device=device).contiguous(memory_format=torch.channels_last)
    F.conv2d(x, x[:, :, :3, :3], padding=1)  # cuDNN
    small = torch.ones(2, 2, dtype=precision(device), device=device)
    torch.linalg.solve_triangular(small, small @ small, upper=True)  # cuBLAS, cuSOLVER
    torch.fft.irfft2(torch.fft.rfft2(x.contiguous())).sum().item()  # cuFFT; then wait for all


def precision(device: torch.device) -> torch.dtype:
    """The type for sums and small systems that need more than float32: float64, which Apple's GPUs lack."""
    return torch.float32 if device.type == "mps" else torch.float64


def computes_in_half(device: torch.device) -> bool:
    """Whether the device itself multiplies bfloat16, as NVIDIA's GPUs from Ampere and CPUs with AMX."""
    if device.type == "cuda":
        return torch.version.hip is None and torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and not _cpu_flags().isdisjoint(HALF_FLAGS)


def device_name(device: torch.device) -> str:
    """The name of a device for people; for a CPU also whether our kernels run, because the painting's bits differ."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{_processor()}, {capability} kernels" if device.type == "cpu" and loaded() else _processor()


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpu_flags() -> set[str]:
    return set(_cpuinfo("flags").split())


def _cpuinfo(name: str) -> str:
    """What Linux says of the first core; "" if it says nothing."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(errors="replace").splitlines() if cpuinfo.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
