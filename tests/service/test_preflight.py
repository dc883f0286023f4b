"""What would stop a start is found before it, all at once."""

from pathlib import Path

import pytest

from daemon.config.load import load
from daemon.errors import ConfigError, JobError
from daemon.service.preflight import check_all
from tests.support.samples import CONFIG


def test_every_problem_is_named_at_once(root: Path) -> None:
    text = CONFIG.replace("preset: draft", "preset: gatys") + "cluster: 127.0.0.1:1\n"
    (root / "config.yaml").write_text(text)

    def probe(path: Path) -> None:
        if path.name == "beta.png":
            raise JobError("It is blurred.", "Hold still.")

    with pytest.raises(ConfigError) as caught:
        check_all(load(root / "config.yaml"), probe)
    names = [problem.partition(":")[0] for problem in caught.value.problems]
    assert names == ["styles.alpha and beta", "styles.beta.picture", "cluster"]


def test_layers_that_the_weights_do_not_reach_are_named_with_their_styles(root: Path) -> None:
    text = CONFIG.replace("preset: draft", "preset: draft, content_layers: {relu4_2: 1}")
    assert text != CONFIG
    (root / "config.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"^styles.alpha and beta: content_layers needs layer relu4_2, but"):
        check_all(load(root / "config.yaml"), lambda path: None)


def test_nine_styles_with_the_same_flaw_are_one_message(root: Path) -> None:
    more = "".join(f"  style{number}: {{picture: alpha.png}}\n" for number in range(7))
    (root / "config.yaml").write_text(CONFIG.replace("preset: draft", "preset: gatys") + more)

    def probe(path: Path) -> None:
        path.with_suffix(".gone").stat()

    with pytest.raises(ConfigError) as caught:
        check_all(load(root / "config.yaml"), probe)
    first, second, *_ = caught.value.problems
    assert first.startswith("styles.alpha, beta, style0 and 6 more: preset: gatys needs layer relu5_1")
    assert second == f"styles.alpha.picture: {root}/alpha.png cannot be read: No such file or directory"


def test_settings_without_a_problem_touch_no_file(root: Path) -> None:
    before = sorted(root.rglob("*"))
    probed: list[str] = []
    check_all(load(root / "config.yaml"), lambda path: probed.append(path.name))
    assert probed == ["alpha.png", "beta.png"]
    assert sorted(root.rglob("*")) == before
