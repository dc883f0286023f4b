"""The README is true: its commands exist, its YAML loads, its Python runs, its tables say what the models say."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from daemon.config.changes import _flat as settings_of
from daemon.config.load import load
from daemon.config.models import Config, RecipeSettings
from daemon.transfer.recipe import PRESETS
from tests.support.samples import jpeg

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_every_yaml_block_is_a_configuration(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    for own in re.findall(r"[a-z]+\.jpg", text):  # the reader's own pictures
        (tmp_path / own).write_bytes(jpeg())
    assert load(tmp_path / "config.yaml").styles


@pytest.mark.slow
@pytest.mark.parametrize("text", blocks("python"))
def test_every_python_block_runs(text: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", text], check=True, cwd=tmp_path, timeout=400)


@pytest.mark.slow
def test_every_command_exists() -> None:
    commands = set(re.findall(r"`styled ([a-z]+)", README)) | set(re.findall(r"^styled ([a-z]+)", README, re.MULTILINE))
    assert len(commands) > 4
    for command in commands:
        done = subprocess.run([sys.executable, "-m", "daemon", command, "--help"], capture_output=True, check=False)
        assert done.returncode == 0, command


def test_the_install_commands_name_what_pyproject_has() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    first, second = (block for block in blocks("sh") if "pip install" in block)
    assert first.split("&& ")[1].strip() == ".venv/bin/pip install -q -e ."
    assert first.split("&& ")[2].strip() == ".venv/bin/styled demo"
    assert "styled" in project["scripts"]
    extra = re.search(r"\.\[(\w+)\]", second)
    assert extra is not None
    assert any(name.startswith("pytest") for name in project["optional-dependencies"][extra[1]])


def test_every_recipe_setting_is_in_the_table() -> None:
    named = re.findall(r"^\| `(\w+)` \| ", README, re.MULTILINE)
    assert set(RecipeSettings.model_fields) <= set(named)
    assert all(f"`{preset}`" in README for preset in PRESETS)


def test_every_setting_is_in_its_table_with_its_default() -> None:
    """Groups by their dotted names; the recipe has a table of its own."""
    text = README.partition("## config.yaml")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| `?([^`|]+?)`? \| ", text, re.MULTILINE))
    defaults = {
        name: value
        for name, value in settings_of(Config.model_validate({}))
        if not name.startswith(("recipe.", "styles."))
    }
    special = {"root": ".", "default_style": "the first"}
    assert {name: rows.get(name) for name in defaults} == defaults | special


def test_every_file_it_points_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_contributing_names_files_packages_and_modules_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for path in re.findall(r"`((?:[a-z_]+/)+(?:[a-z_0-9]+\.[a-z0-9]+)?|[a-z_]+\.py)`", text):
        assert (ROOT / path).exists() or (ROOT / "daemon" / path).exists() or [*(ROOT / "daemon").rglob(path)], path
    for module in re.findall(r"python -m ((?:tests|daemon)\.[a-z_.]+[a-z])", text):
        place = ROOT.joinpath(*module.split("."))
        assert place.is_dir() or place.with_suffix(".py").exists(), module
    packages = {path.parent.name for path in (ROOT / "daemon").glob("*/__init__.py")}
    assert packages == set(re.findall(r"^\| `([a-z]+)/` \|", text, re.MULTILINE)) | {"assets"}
