"""The README is short, and what it says is true; so is what the pages say that it points to."""

import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

import daemon.transfer
from daemon.cli.app import app
from daemon.config.load import load
from daemon.config.models import RecipeSettings
from daemon.transfer.recipe import PRESETS
from tests.support.samples import jpeg

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


MANUAL = (ROOT / "systemd/styled.1").read_text()
PAGES = ("README.md", "systemd/README.md", "tests/benchmarks/README.md", "CONTRIBUTING.md")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def of_manual(beginning: str) -> list[str]:
    """The examples of the man page that begin so."""
    return [text for text in re.findall(r"^\.nf\n(.*?)^\.fi", MANUAL, re.DOTALL | re.MULTILINE) if beginning in text]


def test_it_can_be_read_in_five_minutes() -> None:
    assert len(README.split()) <= 1200


def test_every_command_is_in_its_table_and_every_command_there_exists() -> None:
    commands = set(get_command(app).list_commands(None))  # type: ignore[attr-defined]
    assert set(re.findall(r"^\| `styled ([a-z]+)", README, re.MULTILINE)) == commands
    for page in PAGES:
        text = (ROOT / page).read_text()
        assert set(re.findall(r"`(?:sudo )?styled ([a-z]+)\b", text)) <= commands, page


def test_a_newcomer_finds_time_looks_service_and_removal() -> None:
    headings = re.findall(r"^## (.+)", README, re.MULTILINE)
    wanted = ["How long a painting takes", "Better results", "As a service", "Uninstall", "Licences", "Requirements"]
    assert set(wanted) <= set(headings)


@pytest.mark.parametrize("text", [*blocks("yaml"), *of_manual("default_style"), *of_manual("hooks:")])
def test_every_yaml_block_is_a_configuration(text: str, tmp_path: Path) -> None:
    styles = "" if "styles:" in text else "styles: {starry: {picture: builtin:starry}}\n"
    (tmp_path / "config.yaml").write_text(styles + text)
    for own in re.findall(r"[a-z]+\.jpg", text):  # the reader's own pictures
        (tmp_path / own).write_bytes(jpeg())
    assert load(tmp_path / "config.yaml").styles


@pytest.mark.slow
def test_the_example_of_the_library_runs(tmp_path: Path) -> None:
    (text,) = re.findall(r"\n\n((?:    .+\n|\n)+)", daemon.transfer.__doc__ or "")
    subprocess.run([sys.executable, "-c", textwrap.dedent(text)], check=True, cwd=tmp_path, timeout=400)


def test_the_install_commands_name_what_pyproject_has() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    first, second = (block for block in blocks("sh") if "pip install" in block)
    assert first.split("&& ")[1].strip() == ".venv/bin/pip install -e ."
    assert first.split("&& ")[2].strip() == ".venv/bin/styled demo"
    assert "styled" in project["scripts"]
    extra = re.search(r"\.\[(\w+)\]", second)
    assert extra is not None
    assert any(name.startswith("pytest") for name in project["optional-dependencies"][extra[1]])


def test_every_recipe_setting_is_in_the_table() -> None:
    named = re.findall(r"^\| `(\w+)` \| ", README, re.MULTILINE)
    assert set(RecipeSettings.model_fields) <= set(named)
    assert all(f"`{preset}`" in README for preset in PRESETS)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_every_file_and_heading_that_a_page_points_to_is_there(name: str) -> None:
    page = ROOT / name
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if not target.startswith("http"):
            file, _, anchor = target.partition("#")
            there = (page.parent / file).resolve() if file else page
            assert there.exists(), target
            assert not anchor or anchor in anchors(there), target


def test_contributing_names_files_packages_and_modules_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for path in re.findall(r"`((?:[a-z_]+/)+(?:[a-z_0-9]+\.[a-z0-9]+)?|[a-z_]+\.py)`", text):
        assert (ROOT / path).exists() or (ROOT / "daemon" / path).exists() or [*(ROOT / "daemon").rglob(path)], path
    for module in re.findall(r"python -m ((?:tests|daemon)\.[a-z_.]+[a-z])", text):
        place = ROOT.joinpath(*module.split("."))
        assert place.is_dir() or place.with_suffix(".py").exists(), module
    packages = {path.parent.name for path in (ROOT / "daemon").glob("*/__init__.py")}
    assert packages == set(re.findall(r"^\| `([a-z]+)/` \|", text, re.MULTILINE)) | {"assets"}
