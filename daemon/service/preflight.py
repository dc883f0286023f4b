"""Finds what would stop a start before the start: for `styled check`, and at a reload for the next start. This module
loads no decoder: the caller passes `probe`, which reads a style picture and raises the errors that `style_problems`
names."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from daemon.config.models import Config
from daemon.errors import ConfigError, JobError, StartLater, WorkerDied
from daemon.jobs.failures import TRIES
from daemon.processes.ray_checks import not_installed, unguarded, unreachable
from daemon.service.metrics import check_port
from daemon.storage.layout import Folders
from daemon.storage.lock import Lock
from daemon.text import escape, words
from daemon.transfer.errors import RecipeError, WeightsError
from daemon.transfer.network.layers import LAYERS
from daemon.transfer.network.weights import describe
from daemon.transfer.recipe import require

MOST_NAMED = 3  # styles that share a problem
Probe = Callable[[Path], object]
LoadModel = Callable[[Config], None]  # raises ConfigError or StartLater


class _Problems:
    """Collects problems: those that stay until a person acts, and those that may pass."""

    def __init__(self) -> None:
        self.lasting: list[str] = []
        self.passing: list[str] = []

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        try:
            yield
        except StartLater as error:
            self.passing += error.problems
        except ConfigError as error:
            self.lasting += error.problems

    def raise_all(self) -> None:
        if self.lasting:
            raise ConfigError([*self.lasting, *self.passing])
        if self.passing:
            raise StartLater(self.passing)


def check_all(config: Config, probe: Probe, load_model: LoadModel | None = None) -> None:
    """Raises ConfigError, or StartLater where a later start may succeed, with everything about folders, rights, style
    pictures, weights, the port and the cluster that would stop a start. `load_model`: load the model, too."""
    found, deepest = _Problems(), LAYERS[-1]
    with found.kept():
        check_folders(config)
    with found.kept():
        try:
            deepest = describe(config.weights).deepest
        except WeightsError as error:
            raise ConfigError([f"weights: {error}"]) from None
    found.lasting += style_problems(config, deepest, probe)
    with found.kept():
        check_network(config, is_running=Lock(Folders(config.root).work / "lock").is_held())
    if load_model and not found.lasting and config.cluster == "off":  # otherwise other machines load the model
        with found.kept():
            load_model(config)
    found.raise_all()


def check_next_start(old: Config, new: Config, load_model: LoadModel) -> None:
    """The same for settings that differ and that a reload cannot put in force."""
    found = _Problems()
    if new.root != old.root:
        with found.kept():
            check_folders(new)
    if _network(new) != _network(old):
        with found.kept():
            check_network(new, is_running=new.metrics == old.metrics)
    if (new.device, new.weights) != (old.device, old.weights) and new.cluster == "off":
        with found.kept():
            load_model(new)
    found.raise_all()


def _network(config: Config) -> tuple[object, ...]:
    return config.metrics, config.cluster, config.trust_network


def check_folders(config: Config) -> None:
    if problems := Folders(config.root).problems():
        raise ConfigError(problems)


def check_network(config: Config, *, is_running: bool) -> None:
    """`is_running`: a daemon with these settings runs, and has the port of the metrics."""
    if config.metrics != "off" and not is_running:
        check_port(config.metrics)
    if config.cluster != "off":
        if why := not_installed() or unguarded(config.cluster, config.trust_network):
            raise ConfigError([why])
        if why := unreachable(config.cluster):
            raise StartLater([why])


def style_problems(config: Config, deepest: str, probe: Probe, missing: dict[str, str] | None = None) -> list[str]:
    """A line for all styles whose preset needs a layer beyond `deepest`, and a line for each style picture for which
    `probe` raises OSError, JobError or, at every try, WorkerDied. `missing`: if given, styles whose pictures raise
    OSError are entered there, with the reason, and are no problem."""
    problems = []
    flaws: dict[str, list[str]] = {}  # what is wrong with a recipe, and the styles with that recipe
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
                said = f"{escape(str(picture.file))} cannot be read: {why or error}"
                if missing is not None and isinstance(error, OSError):
                    missing[name] = said
                else:
                    problems.append(f"styles.{name}.picture: {said}")
    return [*(f"styles.{_named(names)}: {flaw}" for flaw, names in flaws.items()), *problems]


def _named(names: list[str]) -> str:
    most = [escape(name) for name in names[:MOST_NAMED]]
    return words([*most, f"{len(names) - MOST_NAMED} more"], "and") if len(names) > MOST_NAMED else words(most, "and")


def _try(probe: Probe, path: Path) -> None:
    for tried in range(1, TRIES + 1):
        try:
            probe(path)
            return
        except WorkerDied:  # the picture is to blame only if every reader dies on it
            if tried == TRIES:
                raise
