"""The shape of the code: what each package may import, one home per library, what the daemon process never loads."""

import ast
import functools
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.samples import jpeg

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "daemon"
FILES = sorted(PACKAGE.rglob("*.py"))
PACKAGES = [path.parent for path in FILES if path.name == "__init__.py"]

# What each part may import of ours. A part is a package or a plain file at the top; "part.module" allows that module
# only. Everything but transfer/ may also import LEAVES, which import nothing but each other, as said here.
LEAVES = {"__version__", "errors", "text", "filenames", "events", "backoff"}
NO_TORCH = {"transfer.recipe", "transfer.recipe_check", "transfer.steps", "transfer.errors", "transfer.network.layers"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "text": set(),
    "filenames": set(),
    "events": set(),
    "backoff": set(),
    "assets": set(),
    "previews": set(),
    "transfer": {"assets"},
    "pictures": {"previews"},
    "config": {"assets", "transfer.recipe", "transfer.recipe_check"},
    "storage": set(),
    "inbox": set(),
    "provenance": {"assets", *NO_TORCH - {"transfer.errors"}},
    "status": {"previews", "storage.files", "transfer.steps"},
    "processes": {"config", "storage.files", "previews", "provenance", "pictures", "transfer"},
    "jobs": {
        *("config", "storage", "inbox", "processes", "provenance", "previews", "status"),
        *("transfer.recipe", "transfer.steps"),
    },
    "gallery": {"assets", "storage", "processes", "provenance", "previews", "transfer.steps"},
    "console": {"config", "status", "previews", "transfer.steps"},
    "service": {"config", "storage", "inbox", "processes", "jobs", "gallery", "status", "transfer"},
    "cli": {
        *("assets", "config", "storage", "inbox", "processes", "jobs", "console", "service", "status"),
        *("provenance", "pictures", "transfer"),
    },
    "studio": {"assets", "transfer"},
    "__main__": {"cli"},
}
# Only these files may import what loads Pillow, torch or Ray: a folder stands for all files in it.
PILLOW_SIDE = {"cli/", "processes/reader_process.py"}
TORCH_SIDE = {
    *("studio/", "cli/", "processes/painter_process.py", "processes/painting_check.py"),
    "processes/ray_actor.py",
}
TORCH_FREE = {*NO_TORCH, "transfer.network.weights"}  # imports torch only to read a file
# An import inside a function needs a reason.
INNER_IMPORTS = {
    "__main__.py": "a spawned child imports its parent's main module again",
    "cli/commands_folders.py": "a command loads no more than its answer needs",
    "cli/commands_pictures.py": "a command loads no more than its answer needs",
    "cli/commands_service.py": "a command loads no more than its answer needs",
    "cli/terminal.py": "a command loads no more than its answer needs",
    "cli/checking.py": "a decoder only for pictures of the user's, torch for `check --deep` only",
    "cli/demo.py": "Pillow, after the daemon has ended",
    "cli/output.py": "Pillow, for the record in a painting only",
    "cli/paint.py": "torch, after the arguments were checked",
    "processes/shared_array.py": "numpy, in a child only; the daemon passes the handle on",
    "service/metrics.py": "prometheus_client is an optional extra",
    "transfer/__init__.py": "torch loads with the first use of Stylizer; recipes need none",
    "transfer/network/weights.py": "torch and safetensors load when a file of weights is read",
}
HOMES = {
    "yaml": {"config"},
    "pydantic": {"config", "provenance"},
    "watchdog": {"inbox"},
    "PIL": {"pictures", "studio"},
    "pillow_heif": {"pictures"},
    "simplejpeg": {"pictures"},
    "tifffile": {"pictures"},
    "torch": {"transfer", "studio"},
    "torchvision": {"transfer"},
    "safetensors": {"transfer", "studio"},
    "multiprocessing": {"processes"},
    "ray": {"processes"},
    "rich": {"console", "studio"},
    "skimage": {"studio"},
    "typer": {"cli"},
    "prometheus_client": {"service"},
}


class Import(NamedTuple):
    """`module`: its absolute name. `inner`: inside a function. `typed`: for the type checker alone, never loaded."""

    module: str
    inner: bool
    typed: bool


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def part(path: Path) -> str:
    """The package or the plain file at the top that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@functools.cache
def imports(path: Path) -> tuple[Import, ...]:
    """Every import of a file, wherever it stands. `from package import name` is taken for a module if it is one."""

    def walk(node: ast.AST, inner: bool, typed: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, inner, typed) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                package = path.relative_to(REPOSITORY).parts[:-1]
                base = package[: len(package) - child.level + 1] if child.level else ()
                module = ".".join([*base, *([child.module] if child.module else [])])
                for alias in child.names:
                    below = REPOSITORY.joinpath(*module.split("."), alias.name)
                    is_module = below.is_dir() or below.with_suffix(".py").is_file() or module == "daemon"
                    yield Import(f"{module}.{alias.name}" if is_module else module, inner, typed)
            else:
                is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                is_typing = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
                yield from walk(child, inner or is_function, typed or is_typing)

    return tuple(walk(ast.parse(path.read_text()), False, False))


def ours(path: Path, *, typed: bool = True) -> set[str]:
    """What a file imports of other parts of ours, below `daemon.`; `typed`: also for the type checker alone."""
    own = [each for each in imports(path) if each.module.startswith("daemon.") and (typed or not each.typed)]
    found = {each.module.removeprefix("daemon.") for each in own}
    return {module for module in found if module.split(".")[0] != part(path)}


def covers(allowed: set[str], module: str) -> bool:
    return any(module == each or module.startswith(f"{each}.") for each in allowed)


def is_one_of(path: Path, places: set[str]) -> bool:
    return any(name(path) == each or (each.endswith("/") and name(path).startswith(each)) for each in places)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_imports_what_its_package_may(path: Path) -> None:
    own = part(path)
    if own == "__init__":
        assert not ours(path)
        return
    assert own in ALLOWED, f"say in ALLOWED what {own} may import"
    leaves = set() if own in LEAVES or own == "transfer" else LEAVES
    assert {module for module in ours(path) if not covers(ALLOWED[own] | leaves, module)} == set()


def test_what_is_allowed_holds_no_circle_and_names_what_exists() -> None:
    parts = {own: {each.split(".")[0] for each in allowed} for own, allowed in ALLOWED.items()}
    graphlib.TopologicalSorter(parts).prepare()
    assert parts.keys() | {"__init__"} == {part(path) for path in FILES}


@pytest.mark.parametrize("own", ALLOWED)
def test_what_is_allowed_is_needed(own: str) -> None:
    used = {module for path in FILES if part(path) == own for module in ours(path)}
    assert {each for each in ALLOWED[own] if not any(covers({each}, module) for module in used)} == set()


def test_the_top_holds_eight_plain_files_at_most() -> None:
    plain = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert len(plain) <= 8, plain


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda folder: folder.relative_to(PACKAGE.parent).as_posix())
def test_a_package_says_what_it_is_for(folder: Path) -> None:
    said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    assert said, "what is it for, in which process does it run, what may it import?"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_only_the_files_named_for_it_load_pillow_torch_or_ray(path: Path) -> None:
    found = ours(path, typed=False)
    if not is_one_of(path, PILLOW_SIDE):
        assert not {module for module in found if covers({"pictures"}, module)}
    if not is_one_of(path, TORCH_SIDE):
        assert not {module for module in found if covers({"transfer"}, module) and not covers(TORCH_FREE, module)}
    if any(each.module.split(".")[0] == "ray" for each in imports(path)):
        assert path.name.startswith("ray_")


@pytest.mark.parametrize("path", FILES, ids=name)
def test_an_import_inside_a_function_has_its_reason(path: Path) -> None:
    inner = [each.module for each in imports(path) if each.inner]
    assert bool(inner) == (name(path) in INNER_IMPORTS) or part(path) == "studio", inner


@pytest.mark.parametrize("library", HOMES)
def test_each_library_has_one_home(library: str) -> None:
    users = {part(path) for path in FILES if library in {each.module.split(".")[0] for each in imports(path)}}
    assert users == HOMES[library]


def test_no_test_imports_another_test() -> None:
    test = re.compile(r"^\s*(?:import|from) tests[\w.]*(?:\.test_| import (?:\([^)]*|.*)\btest_)", re.MULTILINE)
    for line in (
        "from tests.cli import (\n    test_app,\n)",
        "from tests.cli import test_app",
        "import tests.cli.test_app",
    ):
        assert test.search(line), "or this test would tell nothing"
    assert [path.name for path in (REPOSITORY / "tests").rglob("*.py") if test.search(path.read_text())] == []


def test_the_daemon_process_loads_neither_torch_nor_a_decoder_nor_numpy() -> None:
    code = (
        "import sys, daemon.service.service, daemon.console.console\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "pydantic" in loaded
    assert not {"torch", "torchvision", "PIL", "pillow_heif", "numpy", "safetensors", "ray"} & set(loaded)


@pytest.mark.parametrize(("picture", "spared"), [("builtin:ink", {"PIL", "numpy", "torch"}), ("own.png", {"torch"})])
def test_a_check_loads_no_more_than_its_answer_needs(tmp_path: Path, picture: str, spared: set[str]) -> None:
    (tmp_path / "own.png").write_bytes(jpeg(kind="PNG"))
    (tmp_path / "config.yaml").write_text(f"styles: {{alpha: {{picture: '{picture}'}}}}")
    code = (
        "import sys\n"
        "from daemon.cli.app import run_command\n"
        f"sys.argv[1:] = ['check', '--config', {str(tmp_path / 'config.yaml')!r}]\n"
        "try: run_command()\n"
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


def test_the_repository_holds_at_its_top_what_the_design_names() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout
    if not listed:
        pytest.skip("not a git checkout")
    top = {line.split("/")[0] for line in listed.splitlines() if not line.startswith(".")}
    allowed = {"daemon", "systemd", "tests", "config.yaml", "pyproject.toml"}
    assert top <= allowed | {"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"}


# Steps on files by path, in the packages that work in the five folders. inbox/, outbox/, done/ and failed/ are others'
# to write in: there, each step goes through storage/folder.py. Each file here says what else it has paths for, and how.
IN_FOLDERS = ("storage", "inbox", "jobs", "gallery", "service", "cli/retry.py", "cli/why.py")
WORK = "work/ belongs to the daemon alone"
OWN_PATHS: dict[str, tuple[str, set[str]]] = {
    "storage/files.py": (WORK, {"os.open", "os.chown", "each.mkdir", "path.unlink", "temporary.replace"}),
    "storage/folder.py": ("here they are made", {"os.open", "os.mkdir", "os.rename", "os.unlink"}),
    "storage/layout.py": (WORK, {"os.open", "os.chmod", "probe.unlink", "self.version.open"}),
    "storage/lock.py": (WORK, {"os.open", "Handle.open"}),
    "inbox/mounts.py": ("/proc", {"mounts.read_bytes"}),
    "inbox/scan.py": ("each folder by its parent's descriptor", {"os.open"}),
    "inbox/stability.py": ("O_PATH, then compared with the scan", {"os.open"}),
    "jobs/audit.py": (
        WORK,
        {"(directory / RECORD).read_text", "directory.rmdir", "self.folders.work.iterdir", "version.read_text"},
    ),
    "jobs/delivery.py": (
        WORK,
        {"Handle.open", "self.records.made(job).unlink", "self.records.photo(job).with_name(name).unlink"},
    ),
    "jobs/journal.py": (WORK, {"os.open", "path.open", "path.read_bytes", "path.replace", "self.path.open"}),
    "jobs/journal_compaction.py": (WORK, {"path.open"}),
    "jobs/record.py": (
        WORK,
        {
            *("(directory / RECORD).read_text", "(directory / left).unlink", "(directory / name).unlink"),
            *("directory.rmdir", "self.directory(job).mkdir", "self.work.iterdir"),
        },
    ),
    "jobs/seen_time.py": (f"{WORK}; /proc", {"BOOT_ID.read_text", "self._path.open"}),
    "jobs/spread.py": (WORK, {"Handle.open", "os.utime", "records.photo(job).with_name(name).unlink"}),
    "gallery/files.py": (WORK, {"self._list.open"}),
    "gallery/page.py": ("the template that ships", {"GALLERY_PAGE.read_text"}),
    "gallery/style_pictures.py": ("the user's own pictures", {"os.open"}),
    "service/counters.py": (WORK, {"self._path.read_text"}),
    "service/films.py": (WORK, {"folders.work.glob", "left.unlink", "made.unlink"}),
    "service/housekeeping.py": (WORK, {"leftover(self._folders).unlink"}),
    "service/parts.py": ("the user's own pictures", {"os.open"}),
    "cli/why.py": (WORK, {"folders.work.glob", "record.read_text"}),
}
OS_STEPS = {
    *("open", "rename", "replace", "unlink", "remove", "rmdir", "mkdir", "makedirs", "link", "symlink", "mkfifo"),
    *("truncate", "chmod", "chown", "utime", "walk", "fwalk", "renames", "removedirs"),
}
PATH_STEPS = {
    *("rename", "unlink", "touch", "mkdir", "rmdir", "write_text", "write_bytes", "read_text", "read_bytes"),
    *("glob", "rglob", "iterdir", "symlink_to", "hardlink_to", "open"),
}


def steps_by_path(path: Path) -> set[str]:
    """The calls in a file that name a file by its path."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import) and any(each.name == "shutil" for each in node.names):
            found.add("shutil")
        if not isinstance(node, ast.Call):
            continue
        call, arguments = node.func, len(node.args)
        if isinstance(call, ast.Name) and call.id == "open":
            found.add("open")
        elif isinstance(call, ast.Attribute):
            owner = ast.unparse(call.value)
            owner = f"({owner})" if isinstance(call.value, ast.BinOp) else owner
            is_path_step = call.attr in PATH_STEPS or (call.attr == "replace" and arguments == 1 and not node.keywords)
            if (
                (call.attr in OS_STEPS)
                if owner == "os"
                else (is_path_step and owner not in ("Folder", "self", "self.jobs"))
            ):
                found.add(f"{owner}.{call.attr}")
    return found


@pytest.mark.parametrize("path", [path for path in FILES if name(path).startswith(IN_FOLDERS)], ids=name)
def test_a_step_in_a_folder_that_others_may_write_to_goes_through_a_descriptor(path: Path) -> None:
    _, allowed = OWN_PATHS.get(name(path), ("", set()))
    assert steps_by_path(path) <= allowed, "take a step of storage/folder.py, or say in OWN_PATHS whose path that is"
