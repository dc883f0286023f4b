"""What a reload says of the changes."""

from pathlib import Path

from daemon.config.changes import describe_changes
from daemon.config.load import load
from tests.support.configs import STYLES, write


def test_changes_are_told_one_by_one(folder: Path) -> None:
    old = load(write(folder, STYLES + "recipe: {size: 512}"))
    text = """
root: other
device: cpu
settle_seconds: 2.5
output: {location: yes}
recipe: {size: 1024, seed: 3, style_layers: {relu1_1: .5, relu2_1: 1}, scales: [[.5, 9], [1, 2]]}
default_style: night
styles:
  night: {pictures: [{file: night.jpg, weight: 2}, {file: day.png}]}
  day: {picture: day.png}
"""
    new = load(write(folder, text))
    assert new.changes_that_need_restart(old) == old.changes_that_need_restart(new) == ["root", "device"]
    assert describe_changes(old, new) == [
        f"root: {folder} → {folder}/other",
        "settle_seconds: 2 → 2.5",
        "device: auto → cpu",
        "output.location: no → yes",
        "recipe.size: 512 → 1024",
        "recipe.seed: not set → 3",
        "recipe.style_layers: not set → relu1_1 × 0.5 + relu2_1 × 1",
        "recipe.scales: not set → 0.5 × 9 + 1 × 2",
        f"styles.night.picture: {folder}/night.jpg → not set",
        f"styles.night.pictures: not set → {folder}/night.jpg × 2 + {folder}/day.png × 1",
        "styles.day: added",
    ]
    assert "styles.day: removed" in describe_changes(new, old)
    assert describe_changes(old, old) == old.changes_that_need_restart(old) == []
