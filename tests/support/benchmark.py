"""A benchmark in a process of its own."""

import json
import subprocess
import sys
from typing import Any


def benchmark(name: str, *arguments: str) -> Any:
    """The figures of `tests.benchmarks.NAME`, measured on the CPU."""
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", "--json", "--device", "cpu", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
