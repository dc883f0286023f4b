"""Three kinds of failure, the interruptions for which no picture is to blame, and the exit codes.

A picture that cannot be painted raises JobError: the picture goes to failed/ with its reason and the daemon carries
on. Settings that cannot work raise ConfigError: exit 78; those that may work later, StartLater: exit 1. Any other
exception is a bug or a sick device: in a child, the process ends and is replaced; in the daemon, it ends one job.
Used in every process; imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended. systemd restarts the daemon after 1, and not after 78 (sysexits.h: EX_CONFIG). A second
    Ctrl+C or TERM ends it with 128 + the signal's number."""

    DONE = 0
    FAILURE = 1  # a restart may cure it; or StartLater
    USAGE = 2  # the options of a command are wrong
    PICTURES_FAILED = 3  # `run --once` finished, and some pictures failed
    CONFIGURATION = 78  # the settings are wrong


LONGEST_REASON = 2000  # characters; a reason is logged, stored in several files and handed to hooks


class JobError(Exception):
    """A picture cannot be painted: `reason` says why, `advice` what to do, both in a photographer's words."""

    def __init__(self, reason: str, advice: str) -> None:
        reason = reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]}…"
        super().__init__(reason, advice)
        self.reason = reason
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.reason} {self.advice}"


class DegeneratePainting(JobError):
    """The output is not a usable painting (black, flat, not a number); other settings may give a usable painting."""


class ConfigError(Exception):
    """The settings cannot work: one line per problem, each with its dotted name and what would be right."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(tuple(problems))
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


class NoConfigError(ConfigError):
    """There is no config.yaml where a command looks for it."""


class OptionError(ConfigError):
    """The arguments of a command cannot work: one line per problem."""


class StartLater(ConfigError):
    """The daemon cannot start now, but may start later with the same settings: another daemon has the root, or a
    device, a port or a disk is missing. The exit code is 1, and systemd tries again."""


class ShuttingDown(Exception):
    """The daemon is stopping: the job in hand goes back to the inbox and is painted after the next start."""


class SourceChanged(Exception):
    """The photo changed after the daemon took it. Another program still writes it, so the photo goes back to the
    inbox."""


class RetryLater(Exception):
    """The photo cannot be painted now, for a reason outside the photo. It goes back to the inbox until the reason is
    gone."""


class PhotoLocked(RetryLater):
    """This photo cannot be taken out of the inbox now; others of its folder can."""


class ServicePaused(RetryLater):
    """No photo at all can be painted now: the disk is full, or the device fails on every photo."""


class Unreadable(Exception):
    """The disk did not return the photo's bytes; the next try may succeed."""


class WorkerDied(Exception):
    """A painter or reader process ended before it answered, or was ended because it made no progress."""


class PainterDied(WorkerDied):
    """A painter process died; its device may be to blame rather than the photo."""

    def __init__(self, why: str, painter: str = "") -> None:
        """`painter`: the name of the painter, where there are several."""
        super().__init__(why)
        self.painter = painter


class WorkerLost(Exception):
    """The machine of a painter disappeared, or Ray ended the painter there: no picture is to blame."""
