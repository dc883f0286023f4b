"""A machine with a real systemd, for the tests: this very system's files under an overlay that forgets everything,
booted in a container without a network. Whatever ends the tests, nothing of it stays.
"""

import contextlib
import functools
import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

TOOLS = ("systemd-nspawn", "nsenter", "unshare", "setpriv", "runuser")
REPOSITORY = Path(__file__).parents[2]
BASE = Path(sys.base_prefix)
PYTHON = str(getattr(sys, "_base_executable", sys.executable))
SYSTEM_PYTHON = BASE in (Path("/usr"), Path("/usr/local"))
# Its own mount and process namespace: with their first process, which dies with ours, all mounts and processes go.
# The loop is a machine's power switch: 133 is systemd-nspawn's word for a reboot.
SCRIPT = """
set -eu
mount -t tmpfs -o size=4G,mode=755 tmpfs "$BOX"
cd "$BOX"
over() {
    mkdir -p "upper-$2" "work-$2" "$3"
    mount -t overlay overlay -o "lowerdir=$1,upperdir=upper-$2,workdir=work-$2" "$3"
}
over / root root
if [ "$PYTHON_TREE" != / ]; then
    over "$PYTHON_TREE" python root/srv/python
    echo /srv/python/lib >root/etc/ld.so.conf.d/00-styled-test.conf  # its libpython, if it has one
    ldconfig -r root
fi
mkdir -p "root$SITE"
mount --bind "$PACKAGES" "root$SITE"  # what runs these tests is what the machine's own Python has
over "$CHECKOUT" checkout root/srv/checkout
rm -rf root/etc/systemd/system/*.wants root/etc/systemd/system/styled*
rm -rf root/opt/styled root/etc/styled root/var/lib/styled
rm -rf root/usr/local/lib/systemd root/usr/local/lib/sysusers.d root/usr/local/lib/tmpfiles.d root/usr/local/bin/styled
rm -rf root/usr/local/share/man/man1/styled.1 root/var/log/journal
tr -d - </proc/sys/kernel/random/uuid >root/etc/machine-id
code=133
while [ $code = 133 ]; do
    code=0
    systemd-nspawn --quiet --register=no --keep-unit --directory root --boot --private-network --console=pipe \\
        --machine=styled-test --resolv-conf=off --timezone=off --link-journal=no </dev/null || code=$?
done
"""


@functools.cache
def why_not() -> str:
    """Why there can be no such machine here; empty if there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "booting systemd in a container needs root on Linux"
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"{', '.join(missing)} not found: apt-get install systemd-container"
    probe = ["unshare", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        return "this is a container that may not mount anything, so no systemd can be booted in it"
    return ""


class Box:
    """The machine. `sh` runs commands in it as root or as another user."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "console.txt"
        (folder / "box").mkdir()
        environment = {
            **os.environ,
            "BOX": str(folder / "box"),
            "PYTHON_TREE": "/" if SYSTEM_PYTHON else str(BASE),
            "PACKAGES": sysconfig.get_paths()["platlib"],
            "SITE": _inside(_site_packages()),
            "CHECKOUT": str(REPOSITORY),
        }
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--mount-proc", "--fork"]
        command += ["--kill-child=KILL", "bash", "-c", SCRIPT]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd="/"
            )
        self.wait_for_boot()

    @property
    def python(self) -> str:
        """The Python that runs these tests, where the machine has it."""
        return _inside(Path(PYTHON).resolve())

    def leader(self) -> int | None:
        """The process id, out here, of the systemd that is process 1 in there."""
        below = _descendants(self._process.pid)
        return next(
            (pid for pid, parent in below if _name(pid) == "systemd" and _name(parent) == "systemd-nspawn"), None
        )

    def wait_for_boot(self, not_leader: int | None = None, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while True:
            assert self._process.poll() is None, self._log.read_text(errors="replace")
            if (leader := self.leader()) is not None and leader != not_leader:
                state = self.sh("systemctl is-system-running", check=False).strip()
                if state in ("running", "degraded"):
                    return
            assert time.monotonic() < deadline, self._log.read_text(errors="replace")
            time.sleep(0.2)

    def reboot(self) -> None:
        """As `systemctl reboot`, which could not come back from a machine that goes down: systemd(1), Signals."""
        before = self.leader()
        assert before is not None
        os.kill(before, signal.SIGRTMIN + 5)
        self.wait_for_boot(before)

    def sh(self, script: str, *, user: str = "root", check: bool = True, seconds: float = 120) -> str:
        """What the script printed, both streams; with `check`, it must end well."""
        leader = self.leader()
        inside = ["nsenter", "--target", str(leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--"]
        clean = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]
        command = [*inside, *clean, *(["runuser", "-u", user, "--"] if user != "root" else []), "sh", "-c", script]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds, check=False
        )
        assert not check or done.returncode == 0, f"{script}\n→ {done.returncode}\n{done.stdout}"
        return done.stdout

    def put(self, path: str, data: bytes, *, user: str = "root") -> None:
        """Write a file in the machine as that user, with their own umask."""
        leader = self.leader()
        inside = ["nsenter", "--target", str(leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--"]
        writer = ["runuser", "-u", user, "--", "sh", "-c", f"umask 022; cat > {shlex.quote(path)}"]
        subprocess.run([*inside, *writer], input=data, check=True, timeout=60)

    def show(self, *names: str, unit: str = "styled") -> dict[str, str]:
        """Properties of a unit."""
        lines = self.sh(f"systemctl show {unit} -p {','.join(names)}").splitlines()
        return dict(line.partition("=")[::2] for line in lines)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def _inside(path: Path) -> str:
    """Where the machine has a file of this system's Python, which may lie in somebody's home."""
    return str(path if SYSTEM_PYTHON else "/srv/python" / path.relative_to(BASE.resolve()))


def _site_packages() -> Path:
    """Where that Python, outside any environment, looks for packages first."""
    code = "import os, site; print(os.path.realpath(site.getsitepackages()[0]))"
    return Path(subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True).stdout.strip())


@contextlib.contextmanager
def box(folder: Path) -> Iterator[Box]:
    machine = Box(folder)
    try:
        yield machine
    finally:
        machine.close()


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _descendants(pid: int) -> list[tuple[int, int]]:
    """(process, its parent) for everything below `pid`."""
    parents = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
    found, new = [], [pid]
    while new:
        children = [(child, parent) for child, parent in parents.items() if parent in new]
        found += children
        new = [child for child, _ in children]
    return found
