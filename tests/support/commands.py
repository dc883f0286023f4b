"""Commands in processes of their own: `styled`, and the benchmarks."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def styled(*arguments: object, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "daemon", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, timeout=600)


def benchmark(name: str, *arguments: str) -> Any:
    """The figures of `tests.benchmarks.NAME`, measured on the CPU."""
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", "--json", "--device", "cpu", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
