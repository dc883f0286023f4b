"""What the doctor found: the count, and each thing that does not add up."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Mend = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not add up; `path` as a person may read it. `mend` is None where a person must act."""

    path: str
    what: str
    advice: str
    mend: Mend | None = field(default=None, compare=False, repr=False)


@dataclass(slots=True)
class Report:
    """The count. `gone`: archived files that users took away or changed; paintings they took are not looked for."""

    root: Path
    running: bool
    accepted: int = 0
    delivered: int = 0
    failed: int = 0
    waiting: int = 0
    in_work: int = 0
    gone: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def adds_up(self) -> bool:
        return self.accepted == self.delivered + self.failed + self.waiting + self.in_work

    def as_dict(self) -> dict[str, Any]:
        names = ("running", "accepted", "delivered", "failed", "waiting", "in_work", "gone", "adds_up")
        said = [
            {"path": each.path, "what": each.what, "advice": each.advice, "repairable": each.mend is not None}
            for each in self.findings
        ]
        return {"root": str(self.root), **{name: getattr(self, name) for name in names}, "findings": said}
