"""The three fates of a failure, and the interruptions that are no picture's failure.

A picture that cannot be painted is a JobError: it goes to failed/ with its reason and the daemon carries on.
Settings that cannot work are a ConfigError: exit 78. Anything else is a bug or a sick device: the process that
has it ends and is replaced.
"""

from __future__ import annotations

from collections.abc import Sequence


class JobError(Exception):
    """This picture cannot be painted: `reason` says why, `advice` what to do, both for a photographer."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(reason, advice)
        self.reason = reason
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.reason} {self.advice}"


class ConfigError(Exception):
    """The settings cannot work: one line per problem, each with its dotted name and what would be right."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(tuple(problems))
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


class ShuttingDown(Exception):
    """The daemon is stopping: the job in hand goes back to the inbox for the next start."""


class SourceChanged(Exception):
    """The photo changed after it was claimed: its writer was not done, so it goes back to the inbox."""


class RetryLater(Exception):
    """Nothing can be painted for the moment and no picture is to blame: put it back, wait, try again."""


class ServicePaused(RetryLater):
    """The same, and no other picture could be painted either: the disk is full, the device fails on everything."""


class Unreadable(Exception):
    """The disk did not give the photo's bytes, though it may the next time."""


class WorkerDied(Exception):
    """A child process ended, or was ended because it gave no sign of life, before it answered."""


class PainterDied(WorkerDied):
    """A painter did; unlike a reader, it has a device, which may be to blame."""

    def __init__(self, why: str, painter: str = "") -> None:
        """`painter`: which one of several."""
        super().__init__(why)
        self.painter = painter


class WorkerLost(Exception):
    """The machine that a painter is on went away, or what holds the painter there did: no picture is to blame."""


class DegeneratePainting(JobError):
    """This painting is none, as the reason says; other settings may make one."""
