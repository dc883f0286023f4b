"""What was found: figures, verdicts, and what was not tried."""

from typing import Any


class Report:
    """Prints figures and verdicts as they come, and keeps them."""

    def __init__(self) -> None:
        self.figures: dict[str, Any] = {}
        self.verdicts: dict[str, bool] = {}

    def figure(self, name: str, value: Any, unit: str = "") -> None:
        self.figures[name] = value
        print(f"      {name:58} {_short(value)} {unit}", flush=True)

    def verdict(self, name: str, holds: bool, value: Any, bound: str) -> None:
        self.figures[name], self.verdicts[name] = value, bool(holds)
        print(f"{'PASS' if holds else 'FAIL'}  {name:58} {_short(value)}   [{bound}]", flush=True)

    def not_tried(self, name: str, why: str) -> None:
        self.figures[name] = f"not tried: {why}"
        print(f"      {name:58} not tried: {why}", flush=True)

    def end(self) -> int:
        """Print the verdict on all; the exit code."""
        failed = [name for name, holds in self.verdicts.items() if not holds]
        count = len(self.verdicts)
        print(f"VERDICT: {count - len(failed)} of {count} hold" + (f"; not: {', '.join(failed)}" if failed else ""))
        return int(bool(failed))


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
