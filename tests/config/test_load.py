"""Reading config.yaml and sidecars: where the file is, what may be in it, and every problem at once."""

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.config.load import find, from_options, load, load_sidecar
from daemon.config.models import Config, Output, RecipeSettings, WrittenRecipe
from daemon.errors import LONGEST_REASON, ConfigError, JobError, OptionError
from tests.support.configs import STYLES, problems, write


def test_the_file_is_looked_for_here_and_then_in_etc(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = folder / "etc.yaml"
    monkeypatch.setattr("daemon.config.load.SYSTEM_CONFIG", system)
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError) as caught:
        find(None)
    assert caught.value.problems == (
        f"There is no config.yaml in this folder, and no {system}. Go to the folder of your config.yaml, name "
        "the file with --config FILE, or make one: styled init",
    )
    system.touch()
    assert find(None) == system
    (folder / "config.yaml").touch()
    assert find(None) == Path("config.yaml")
    assert find(Path("mine.yaml")) == Path("mine.yaml")


def test_the_line_that_a_missing_file_asks_for_is_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "config.yaml")
    [problem] = caught.value.problems
    flaw = "there is no such file; name yours with --config FILE, or make this file with the line: "
    start = f"{tmp_path}/config.yaml: {flaw}"
    assert problem.startswith(start)
    assert load(write(tmp_path, problem.removeprefix(start))).default_style == "starry"


def test_a_file_that_cannot_be_read_is_refused(folder: Path) -> None:
    (folder / "config.yaml").mkdir()
    (folder / "loop.yaml").symlink_to("loop.yaml")
    for name, why in [
        ("config.yaml", "is a folder; name the file in this folder"),
        (
            "loop.yaml",
            "cannot be read (Too many levels of symbolic links); the user that runs styled needs the right to read it",
        ),
    ]:
        with pytest.raises(ConfigError) as caught:
            load(folder / name)
        assert caught.value.problems == (f"{folder}/{name}: {why}",)


def test_loading_touches_nothing(folder: Path) -> None:
    path = write(folder, "root: elsewhere\n" + STYLES)
    before = sorted(folder.iterdir())
    load(path)
    assert sorted(folder.iterdir()) == before


def test_relative_paths_start_at_the_file_and_home_is_known(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / "own.webp").write_bytes(b"x")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    text = "root: ~/paint\nstyles: {a: {picture: night.jpg}, b: {picture: ~/own.webp}}"
    config = load(write(folder, text))
    assert config.root == home / "paint"
    assert config.styles["a"].picture == folder / "night.jpg"
    assert config.styles["b"].picture == home / "own.webp"
    monkeypatch.chdir(folder)
    assert load(Path("config.yaml")) == config


SHIPPED = Path(__file__).parents[2] / "config.yaml"


def test_the_shipped_file_works_as_it_is() -> None:
    config = load(SHIPPED)
    assert config.root == SHIPPED.parent
    assert config.default_style == "starry"
    assert {"starry", "mosaic", "woodcut", "ink", "glass", "waves"} <= set(config.styles)


def test_every_setting_is_in_the_shipped_file_with_its_default(tmp_path: Path) -> None:
    """Written out or as a comment: the whole file, with the styles put aside, is nothing but the defaults."""
    text = SHIPPED.read_text().split("styles:  ")[0]
    text = re.sub(r"^  # (\w+: )", r"  \1", text, flags=re.MULTILINE)
    (tmp_path / "a.png").write_bytes(b"x")
    styles = "styles: {starry: {picture: a.png}}\n"
    written, bare = load(write(tmp_path, text + styles)), load(write(tmp_path, styles))
    assert written.model_dump(exclude={"recipe"}) == bare.model_dump(exclude={"recipe"})
    assert written.settings("starry") == bare.settings("starry")
    assert written.model_fields_set == Config.model_fields.keys()
    assert written.output.model_fields_set == Output.model_fields.keys()
    assert written.recipe.model_fields_set == RecipeSettings.model_fields.keys()


def test_every_problem_is_told_at_once(folder: Path) -> None:
    text = """
originals: burn
recipe: {size: 3, keep_colours: no}
styles: {night: {picture: night.jpg, seed: x}, .day: {pictures: [{file: day.png, weight: 0}, {wieght: 1}]}, e: }
default_style: none
"""
    assert problems(folder, text) == [
        "originals: 'burn' cannot be used; write keep or delete",
        "recipe.size: '3' cannot be used; write auto, original, the long side in pixels from 16 to "
        "100000, or a print such as 30x20cm@300dpi",
        "recipe.keep_colours: unknown setting; did you mean keep_colors?",
        "styles.night.seed: 'x' cannot be used; write a whole number from 0 to 9223372036854775807",
        "styles..day.pictures.1.weight: '0' cannot be used; write a number above 0, up to 1000000",
        "styles..day.pictures.2.file: is missing; add it",
        "styles..day.pictures.2.wieght: unknown setting; did you mean weight?",
        "styles..day: pictures in such a folder are left alone (hidden: its name begins with a dot); "
        "choose another name",
        "styles.e: has no picture; write picture: FILE below it, or pictures: for several",
        "default_style: there is no style 'none'; write night, .day or e",
    ]


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)


names = st.sampled_from([*Config.model_fields, *WrittenRecipe.model_fields, "picture", "pictures", "file", "<<"])


trees = st.recursive(
    scalars,
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(names | st.text(max_size=3), children, max_size=4)
    ),
    max_leaves=12,
)


yamlish = st.text(alphabet="ab:-[]{}&*!|>%@`'\"#,? \n\t\\u0é\ud7ff\x00~<.x1", max_size=60)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    raw=st.binary(max_size=60) | yamlish.map(str.encode) | trees.map(lambda tree: repr(tree).encode("utf-8", "replace"))
)
def test_whatever_the_bytes_there_is_a_configuration_or_a_configerror(folder: Path, raw: bytes) -> None:
    found: list[str] = []
    for text in (raw, STYLES.encode() + raw):
        with contextlib.suppress(ConfigError):
            load(write(folder, text))
            continue
        found += problems(folder, text)
    try:
        load_sidecar(raw, "a.jpg.yaml", ("ink",))
    except JobError as error:
        found.append(error.reason)
    assert all(problem.isprintable() and ": " in problem for problem in found)


def test_a_sidecar_has_recipe_settings_only() -> None:
    own = load_sidecar(b"size: 64\nkeep_colors: no\n", "a.jpg.yaml", ())
    assert own.model_dump(exclude_none=True) == {"size": 64, "keep_colors": "no", "style": ()}
    assert load_sidecar(b"", "a.jpg.yaml", ()).model_dump(exclude_none=True) == {"style": ()}


@pytest.mark.parametrize(
    ("text", "styles"), [("ink", ("ink",)), ("[starry, ink]", ("starry", "ink")), ("all", ("all",)), ("[]", ())]
)
def test_a_sidecar_chooses_one_style_or_several(text: str, styles: tuple[str, ...]) -> None:
    assert load_sidecar(f"style: {text}".encode(), "a.jpg.yaml", ("ink", "starry")).style == styles


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("inc", "style: there is no style 'inc'; did you mean ink?"),
        ("[ink, sky]", "style: there is no style 'sky'; write ink or starry"),
        ("{ink: 2}", "style: a group of settings cannot be used; write a style, a list such as"),
    ],
)
def test_a_style_of_a_sidecar_that_is_not_there_is_refused(text: str, said: str) -> None:
    with pytest.raises(JobError) as caught:
        load_sidecar(f"style: {text}".encode(), "a.jpg.yaml", ("ink", "starry"))
    assert said in caught.value.reason


def test_a_sidecar_full_of_mistakes_is_answered_in_a_few_lines() -> None:
    """Any user who drops a sidecar decides how long the reason is, which goes into logs, files and hooks."""
    raw = b"".join(b"%x: 1\n" % number for number in range(2000))
    with pytest.raises(JobError, match=r"0: unknown setting.* \| and 1995 more") as failure:
        load_sidecar(raw, "a.jpg.yaml", ())
    assert len(str(failure.value)) < 2500
    with pytest.raises(JobError) as failure:
        load_sidecar(b"size: big\n", "a" * 4000 + ".jpg.yaml", ())
    assert len(failure.value.reason) <= LONGEST_REASON + 1


def test_a_wrong_sidecar_fails_its_photo_with_every_problem() -> None:
    with pytest.raises(JobError) as caught:
        load_sidecar(b"size: big\npicture: a.jpg\n", "a\n.jpg.yaml", ())
    assert caught.value.reason == (
        "The settings in a\\n.jpg.yaml cannot be used: size: 'big' cannot be used; write auto, original, the long "
        "side in pixels from 16 to 100000, or a print such as 30x20cm@300dpi | picture: unknown setting; known here "
        "are preset, size, style_weight, "
        "content_weight, smoothness, style_scale, seed, start, keep_colors, precision, style_layers, "
        "content_layers, scales and style."
    )
    assert caught.value.advice == "Correct the settings in that file, or remove the file, and try again."
    with pytest.raises(JobError, match="is larger than 64 KiB, too large for a file of settings"):
        load_sidecar(b"#" * 70_000, "a.jpg.yaml", ())


def test_the_options_of_a_command_are_read_like_a_file_and_refused_by_their_own_names() -> None:
    made = from_options({"size": "300", "keep_colors": "no", "style_weight": "2", "threads": "1", "quality": "80"})
    assert (made.recipe.preset, made.recipe.size, made.recipe.style_weight) == ("fine", 300, 2.0)
    assert (made.thread_count, made.output.quality, made.device) == (1, 80, "auto")
    assert made.recipe.model_fields_set == {"size", "keep_colors", "style_weight"}
    with pytest.raises(OptionError) as caught:
        from_options({"preset": "best", "keep_colors": "yes", "quality": "101"})
    assert sorted(caught.value.problems) == [
        "--keep-colors: 'yes' cannot be used; write no, luminance or statistics",
        "--preset: 'best' cannot be used; write fine, tutorial, gatys or draft",
        "--quality: '101' cannot be used; write a whole number from 1 to 100",
    ]
