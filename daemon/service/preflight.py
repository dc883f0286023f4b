"""What would stop a start, found before it. Nothing here changes a file, and no decoder is loaded: the caller passes
`probe`, which opens a style picture and raises what `style_problems` names."""

from collections.abc import Callable
from pathlib import Path

from daemon.config.models import Config
from daemon.errors import ConfigError, JobError, WorkerDied
from daemon.jobs.failures import TRIES
from daemon.processes.ray_checks import not_installed, unreachable
from daemon.storage.layout import Folders
from daemon.text import escape, words
from daemon.transfer.errors import RecipeError, WeightsError
from daemon.transfer.network.layers import LAYERS
from daemon.transfer.network.weights import describe
from daemon.transfer.recipe import require

MOST_NAMED = 3  # styles that share a problem
Probe = Callable[[Path], object]


def check_all(config: Config, probe: Probe, *, deep: bool) -> None:
    """Raises ConfigError with everything about folders, rights, style pictures, weights and the cluster that would
    stop a start. `deep`: load the model, too."""
    problems = Folders(config.root).problems()
    deepest = LAYERS[-1]
    try:
        deepest = describe(config.weights).deepest
    except WeightsError as error:
        problems.append(f"weights: {error}")
    problems += style_problems(config, deepest, probe)
    if config.cluster != "off" and (why := not_installed() or unreachable(config.cluster)):
        problems.append(why)
    if deep and not problems and config.cluster == "off":  # otherwise the model is loaded on other machines
        problems += _model_problems(config)
    if problems:
        raise ConfigError(problems)


def style_problems(config: Config, deepest: str, probe: Probe) -> list[str]:
    """A line for all styles whose preset needs a layer beyond `deepest`, and for each style picture for which `probe`
    raises OSError, JobError or, again and again, WorkerDied."""
    problems = []
    flaws: dict[str, list[str]] = {}  # what is wrong with a recipe, and the styles that have it
    for name, style in config.styles.items():
        try:
            require(config.settings(name).recipe, deepest)
        except RecipeError as error:
            flaws.setdefault(str(error), []).append(name)
        for picture in style.all_pictures:
            try:
                _try(probe, picture.file)
            except (OSError, JobError, WorkerDied) as error:
                why = error.strerror if isinstance(error, OSError) else error
                problems.append(f"styles.{name}.picture: {escape(str(picture.file))} cannot be read: {why}")
    return [*(f"styles.{_named(names)}: {flaw}" for flaw, names in flaws.items()), *problems]


def _named(names: list[str]) -> str:
    most = [escape(name) for name in names[:MOST_NAMED]]
    return words([*most, f"{len(names) - MOST_NAMED} more"], "and") if len(names) > MOST_NAMED else words(most, "and")


def _try(probe: Probe, path: Path) -> None:
    for tried in range(1, TRIES + 1):
        try:
            probe(path)
            return
        except WorkerDied:  # the picture is to blame only if every reader dies of it
            if tried == TRIES:
                raise


def _model_problems(config: Config) -> list[str]:
    from daemon.processes.painter_process import PainterProcess  # torch: only for `styled check --deep`

    try:
        for device in PainterProcess(config.device, config.weights).ready_info.others:
            PainterProcess(device, config.weights)
    except ConfigError as error:
        return list(error.problems)
    return []
