"""What `styled check` and `styled status` know without a running daemon's help. Nothing here changes a file."""

from collections.abc import Callable
from pathlib import Path

from daemon.assets import STYLES
from daemon.config.models import Config
from daemon.errors import ConfigError, JobError, WorkerDied
from daemon.jobs.failures import TRIES
from daemon.processes.ray_checks import not_installed, unreachable
from daemon.storage.layout import Folders
from daemon.transfer.errors import RecipeError, WeightsError
from daemon.transfer.network.layers import LAYERS
from daemon.transfer.network.weights import describe
from daemon.transfer.recipe import require


def check_all(config: Config, *, deep: bool) -> None:
    """ConfigError: everything about folders, rights, style pictures and weights that would stop a start."""

    def probe(path: Path) -> None:
        if path.parent == STYLES:
            return  # sound since it was packed, and its tests say so: no decoder has to be loaded for it
        from daemon import pictures

        with path.open("rb") as file:
            pictures.probe(file)

    problems = Folders(config.root).problems()
    deepest = LAYERS[-1]  # what weights that are yet to be fetched will have
    try:
        if config.weights != "imagenet":
            deepest = describe(config.weights).deepest
    except WeightsError as error:
        problems.append(f"weights: {error}")
    problems += style_problems(config, deepest, probe)
    if config.cluster != "off":
        problems += _cluster_problems(config.cluster)
    if deep and not problems:
        problems += _model_problems(config)
    if problems:
        raise ConfigError(problems)


def style_problems(config: Config, deepest: str, probe: Callable[[Path], object]) -> list[str]:
    """Styles whose pictures `probe` cannot read, or whose preset needs a layer beyond `deepest`."""
    problems = []
    for name, style in config.styles.items():
        try:
            require(config.settings(name).recipe, deepest)
        except RecipeError as error:
            problems.append(f"styles.{name}: {error}")
        for picture in style.all_pictures:
            try:
                _probe(picture.file, probe)
            except (OSError, JobError, WorkerDied) as error:
                problems.append(f"styles.{name}.picture: {picture.file} cannot be read: {error}")
    return problems


def _probe(path: Path, probe: Callable[[Path], object]) -> None:
    for tried in range(1, TRIES + 1):
        try:
            probe(path)
            return
        except WorkerDied:  # whoever ended that reader may have meant the machine, and not the picture
            if tried == TRIES:
                raise


def _cluster_problems(address: str) -> list[str]:
    why = not_installed() or unreachable(address)
    return [why] if why else []


def _model_problems(config: Config) -> list[str]:
    from daemon.transfer import DeviceError, Stylizer, every_device

    if config.cluster != "off":
        return []  # it is loaded there, not here
    try:
        for device in every_device() if config.device == "all" else [config.device]:
            Stylizer(device=device, weights=config.weights)
    except DeviceError as error:
        return [f"device: {error}"]
    except WeightsError as error:
        return [f"weights: {error}"]
    return []
