"""The settings that a daemon keeps for the commands: the same when read again, without passwords, found again whatever
became of config.yaml."""

from pathlib import Path

import pytest

from daemon.config.load import load
from daemon.config.saved import Saved, as_text, likely_roots, read, saved_for
from tests.support.samples import CONFIG

FULL = """
gallery: {title: Photos}
metrics: 9123
keep_done_days: 3
trust_network: yes
output: {format: webp, location: yes}
hooks: {on_failed: [mail, a-password]}
recipe: {preset: draft, size: 30x20cm@300dpi, keep_colors: no, style_weight: 2}
styles:
  alpha: {picture: alpha.png, size: 48, style_layers: {relu1_1: 0.5, pool1: 1}, scales: [[0.5, 40], [1, 9]]}
  on: {pictures: [{file: alpha.png, weight: 2}, {file: "builtin:ink"}], start: noise, seed: 7}
"""


@pytest.fixture
def saved(root: Path) -> Saved:
    (root / "config.yaml").write_text(FULL)
    (root / "work").mkdir()
    saved = Saved(root / "config.yaml", load(root / "config.yaml"))
    (root / "work/settings.json").write_text(as_text(saved))
    return saved


def test_what_is_read_again_is_the_same_without_hooks_and_without_looking_at_files(root: Path, saved: Saved) -> None:
    (root / "alpha.png").unlink()
    found = read(root)
    assert found is not None
    assert found.config == saved.config.model_copy(update={"hooks": found.config.hooks})
    assert found.config.hooks.on_failed == ()
    assert "a-password" not in as_text(saved)


@pytest.mark.parametrize(
    "text", ["", "root: [", "root: .\nstyles: {", "root: '.'  # here\n\tx", "root: 7\n", "\0", "styles: [}"]
)
def test_they_are_found_whatever_became_of_the_file(root: Path, saved: Saved, text: str) -> None:
    (root / "config.yaml").write_text(text)
    assert saved_for(root / "config.yaml") is not None
    (root / "config.yaml").unlink()
    assert saved_for(root / "config.yaml") is not None
    assert saved_for(root / "other.yaml") is None, "which no daemon took"


@pytest.mark.parametrize("line", ["root: there", "root: 'there'  # so", 'root:  "there"', "root: there # and here"])
def test_the_root_is_found_in_a_file_that_is_no_yaml(tmp_path: Path, line: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"settle_seconds: 1\n{line}\nstyles: [\n")
    assert likely_roots(path)[0] == tmp_path / "there"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"path": 1, "settings": 2}', '{"settings": {"colour": "blue"}}'])
def test_a_damaged_file_says_nothing(root: Path, saved: Saved, text: str) -> None:
    (root / "config.yaml").write_text(CONFIG)
    (root / "work/settings.json").write_text(text)
    assert saved_for(root / "config.yaml") is None
