"""What a measurement is told, and what it was made on."""

import argparse
import os
import platform
import time
from collections.abc import Callable, Mapping

import torch

from daemon.transfer import Stylizer


def asked(name: str, about: str | None, size: int) -> argparse.ArgumentParser:
    """What every benchmark of paintings can be told; `size`: the default."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.benchmarks.{name}", description=about)
    parser.add_argument("--json", action="store_true", help="JSON and nothing else")
    parser.add_argument("--size", type=int, default=size, help="long side in pixels")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--weights", default="embedded")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--pair", nargs=2, action="append", metavar=("CONTENT", "STYLE"))
    return parser


def described(stylizer: Stylizer) -> dict[str, str]:
    """Device, threads, load and versions, for a table's caption."""
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return {
        "device": f"{stylizer.device}, {stylizer.device_name}",
        "threads": str(stylizer.threads),
        "load": load,  # of the last minute; above the threads in use, the machine was not quiet
        "weights": stylizer.weights.kind,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def caption(made_on: Mapping[str, str]) -> str:
    """What `described` says, in one line."""
    return "; ".join(f"{name}: {value}" for name, value in made_on.items())


def best_seconds(do: Callable[[], object], times: int, device: torch.device) -> float:
    """The shortest of several runs, each waited for; after one that does not count."""
    found = []
    for _ in range(times + 1):
        start = time.perf_counter()
        do()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        found.append(time.perf_counter() - start)
    return min(found[1:])


def fastest_type(device: torch.device) -> torch.dtype:
    """bfloat16 where the processor multiplies that itself, else float32, which is faster there."""
    native = False
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)
    elif device.type == "cpu":
        native = any(
            bool(getattr(torch.cpu, name, lambda: False)())
            for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        )
    return torch.bfloat16 if native else torch.float32
