"""Build the kernels with the package (hatchling's build hook) if there is a C compiler; styled works without them."""

import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path("daemon/transfer/network/native")
SOURCES = ("winograd.c", "gram.c", "pool.c")
FLAGS = ("-O3", "-std=gnu11", "-shared", "-fPIC", "-Wall", "-Wextra")
PROCESSORS = {"avx512": ("-mavx512f", "-mfma", "-DLANES=16"), "avx2": ("-mavx2", "-mfma", "-DLANES=8")}


class Kernels(BuildHookInterface):  # type: ignore[type-arg]
    """A library for each kind of processor, beside the sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if sys.platform != "linux" or platform.machine() != "x86_64":
            return
        compiler = (
            shlex.split(os.environ.get("CC", "")) or [name for name in ("cc", "gcc", "clang") if shutil.which(name)][:1]
        )
        if not compiler:
            self.app.display_warning("no C compiler: on a CPU, styled will paint the same, but slower")
            return
        folder = Path(self.root) / HERE
        for name, flags in PROCESSORS.items():
            self._compile(compiler, flags, folder, folder / f"kernels-{name}.so")
        build_data["artifacts"].append(f"{HERE}/*.so")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"

    def _compile(self, compiler: list[str], flags: tuple[str, ...], folder: Path, library: Path) -> None:
        new = library.with_suffix(".new")  # a daemon may be running with the old library
        done = subprocess.run([*compiler, *FLAGS, *flags, "-o", str(new), *SOURCES], cwd=folder, capture_output=True)
        if done.returncode == 0:
            new.replace(library)
        else:
            self.app.display_warning(f"{library.name} could not be built:\n{done.stderr.decode(errors='replace')}")
