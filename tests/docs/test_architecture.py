"""The shape of the code: who may import whom, one home per library, and what the daemon process never loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.samples import jpeg

PACKAGE = Path(__file__).parents[2] / "daemon"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Each line may import only from lines above it; the order in which a picture's way is built up.
LAYERS = (
    ("errors", "formats", "transfer"),
    ("names", "mounts", "canvas", "journald", "sketch", "hashes", "flaws"),
    ("listing", "folders", "processes", "pictures", "plainly", "troubles", "saved", "report"),
    ("settling", "doorbell", "records", "ledger", "lock", "config", "pool", "board", "blame", "provenance"),
    ("notices", "places", "readers", "painters", "retry", "finished", "page"),
    ("claims", "compaction", "stylepictures", "cluster", "story", "gallery", "hooks", "tally"),
    ("inbox", "job", "doctor", "supervisor", "answers", "audience", "why", "metrics", "once", "checks"),
    ("keeper", "workers", "console"),
    ("service",),
    ("demo", "single"),
    ("repaint",),
    ("cli",),
    ("__main__",),
)
HOMES = {
    "yaml": {"config"},
    "pydantic": {"config"},
    "watchdog": {"inbox"},
    "PIL": {"pictures", "studio"},
    "pillow_heif": {"pictures"},
    "torch": {"transfer", "studio"},
    "torchvision": {"transfer", "studio"},
    "safetensors": {"transfer", "studio"},
    "multiprocessing": {"processes"},
    "ray": {"cluster"},
    "rich": {"console", "studio"},
    "skimage": {"studio"},
    "typer": {"cli"},
    "prometheus_client": {"metrics"},
}


def part(path: Path) -> str:
    """The module or subpackage that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Every module that is imported anywhere in a file, absolute."""
    package = ".".join(["daemon", *path.relative_to(PACKAGE).parts[:-1]])
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(name for name in (base, node.module) if name)
            if module == "daemon":
                found |= {f"daemon.{alias.name}" for alias in node.names}
            found.add(module)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    rank = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    own = part(path)
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("daemon.")} - {own, "__version__"}
    if own == "transfer":
        assert not ours, "transfer/ runs alone on a bare GPU machine"
    elif own == "studio":
        assert ours <= {"transfer", "pictures"}, "the studio makes what ships and nothing imports it"
    elif own != "__init__":
        assert own in rank, f"say in LAYERS where {own} stands"
        assert all(rank[name] < rank[own] for name in ours), f"{own} imports {ours}"


@pytest.mark.parametrize("library", HOMES)
def test_each_library_has_one_home(library: str) -> None:
    users = {part(path) for path in MODULES if library in {name.split(".")[0] for name in imports(path)}}
    assert users <= HOMES[library]
    assert users & HOMES[library], f"nobody uses {library} any more: is it still a dependency?"


def test_the_daemon_process_loads_neither_torch_nor_a_decoder_nor_numpy() -> None:
    code = (
        "import sys, daemon.service, daemon.console, daemon.checks\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "pydantic" in loaded
    assert not {"torch", "torchvision", "PIL", "pillow_heif", "numpy", "safetensors", "ray"} & set(loaded)


@pytest.mark.parametrize(
    ("picture", "spared"), [("builtin:ink", {"PIL", "numpy", "torch"}), ("own.png", {"numpy", "torch"})]
)
def test_a_check_loads_no_more_than_its_answer_needs(tmp_path: Path, picture: str, spared: set[str]) -> None:
    (tmp_path / "own.png").write_bytes(jpeg(kind="PNG"))
    (tmp_path / "config.yaml").write_text(f"styles: {{alpha: {{picture: '{picture}'}}}}")
    code = (
        f"import sys, daemon.cli; sys.argv[1:] = ['check', '--config', {str(tmp_path / 'config.yaml')!r}]\n"
        "try: daemon.cli.run_command()\n"
        "except SystemExit as end: assert not end.code\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "the configuration is right" in done.stdout
    assert not spared & set(done.stdout.splitlines()[-1].split())


def test_children_do_not_load_the_command_line() -> None:
    """Spawned processes import their parent's main module again, so it must be next to nothing."""
    code = "import sys, daemon.__main__; print('typer' in sys.modules, 'daemon.cli' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_the_top_level_holds_what_the_design_names() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=PACKAGE.parent, capture_output=True, text=True, check=False
    ).stdout.split("\n")
    if not any(tracked):
        pytest.skip("not a git checkout")
    top = {name.split("/")[0] for name in tracked if name and not name.startswith(".")}
    allowed = {"daemon", "systemd", "tests", "config.yaml", "pyproject.toml"}
    assert top <= allowed | {"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"}
