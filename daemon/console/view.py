"""The live view: the jobs in hand, the photos that wait, the last paintings, and the totals."""

import math
import time
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from daemon.console.terminal_images import HalfBlocks
from daemon.status import FinishedPainting, JobStatus, Status
from daemon.text import duration, escape

BARS = "▁▂▃▄▅▆▇█"
NARROW = 80  # columns; a narrower terminal has no room for pictures and long rows
ROOMY = 110  # columns; from here on a job's line shows everything
LOW = 24  # lines; a lower terminal has room for the jobs and the totals only
PICTURE = 40, 18  # columns and lines; in less space, a face cannot be recognised
SPACIOUS = 100, 36  # columns and lines; from here on there is room for pictures
MOST_JOBS = 6
MOST_STYLES = 6


def view(status: Status, width: int, height: int, *, pictures: bool, now: float | None = None) -> RenderableType:
    """`status` for a terminal of `width` x `height` characters. `pictures`: the terminal has enough colours for
    pictures."""
    now = time.monotonic() if now is None else now
    wide, high = width >= NARROW, height >= LOW
    parts: list[RenderableType] = [Text(""), _jobs(status.tasks(), width, now)]
    finished = status.shown() if pictures and width >= SPACIOUS[0] and height >= SPACIOUS[1] else []
    waiting = {style: count for style, count in status.waiting.items() if count}
    if wide and high and (finished or len(waiting) > 1):
        parts.append(Padding(_middle(finished, waiting, width), (1, 0)))
    parts.append(_totals(status, waiting, now, width))
    return Group(*parts)


def sparkline(losses: Sequence[float], width: int) -> str:
    """The losses as at most `width` bars, on a logarithmic scale, because losses fall by orders of magnitude."""
    known = [math.log(loss) for loss in losses if loss > 0 and math.isfinite(loss)]
    if len(known) > width:
        known = [known[round(place * (len(known) - 1) / (width - 1))] for place in range(width)]
    if len(known) < 2:
        return ""
    low, span = min(known), max(known) - min(known) or 1.0
    return "".join(BARS[round((value - low) / span * (len(BARS) - 1))] for value in known)


def _jobs(jobs: Sequence[JobStatus], width: int, now: float) -> RenderableType:
    """A line for each job in hand. On a narrow terminal the loss goes first, then the curve, then part of the bar."""
    grid = Table.grid(padding=(0, 2), expand=False)
    for _ in range(6):
        grid.add_column(no_wrap=True, overflow="ellipsis")
    for job in jobs[:MOST_JOBS]:
        grid.add_row(*_row(job, width, now))
    if len(jobs) > MOST_JOBS:
        grid.add_row(Text(f"and {len(jobs) - MOST_JOBS} more", style="dim"))
    return grid


def _row(job: JobStatus, width: int, now: float) -> list[RenderableType]:
    bar, curve = (10, 0) if width < NARROW else (12, 8) if width < ROOMY else (24, 12 if width < 140 else 24)
    others = bar + curve + (41 if width >= ROOMY else 28)  # columns of everything except the name
    name = Text(escape(job.name), style="bold")
    name.truncate(max(12, min(width // 3, width - others)), overflow="ellipsis")
    if job.step is None:
        return [name, Text(job.stage, style="dim")]
    left = job.seconds_left(now)
    row: list[RenderableType] = [name, ProgressBar(total=1.0, completed=job.step.done, width=bar)]
    row.append(Text(f"{100 * job.step.done:3.0f} %"))
    if width >= ROOMY:
        row.append(Text(f"loss {job.step.loss:.4g}"))
    if curve:
        row.append(Text(sparkline(job.losses, curve), style="magenta"))
    row.append(Text(f"{duration(left)} left" if left is not None else job.stage, style="cyan"))
    return row


def _middle(finished: Sequence[FinishedPainting], waiting: dict[str, int], width: int) -> RenderableType:
    """The last paintings side by side, and the queue by style."""
    columns, lines = PICTURE
    queue = 34 if len(waiting) > 1 else 0
    fit = max(0, (width - queue) // (columns + 2))
    grid = Table.grid(padding=(0, 2))
    cells: list[RenderableType] = [_finished(each, columns, lines) for each in finished[:fit]]
    if queue:
        cells.append(_queue(waiting))
    for _ in cells:
        grid.add_column(vertical="bottom", no_wrap=True)
    grid.add_row(*cells)
    return grid


def _finished(painting: FinishedPainting, columns: int, lines: int) -> RenderableType:
    name = Text(escape(painting.name.rpartition("/")[2]))
    name.truncate(columns, overflow="ellipsis")
    facts = Text(f"{escape(painting.style)}  {duration(painting.seconds)}", style="dim")
    facts.truncate(columns, overflow="ellipsis")
    return Group(HalfBlocks(painting.preview, columns, lines), name, facts)


def _queue(waiting: dict[str, int]) -> RenderableType:
    """How many photos wait for each style, the longest queues first."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, max_width=14, overflow="ellipsis")
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, justify="right")
    ranked = sorted(waiting.items(), key=lambda each: -each[1])
    most = ranked[0][1]
    for style, count in ranked[:MOST_STYLES]:
        bar = Text(_bar(count / most, 8), style="blue")
        grid.add_row(Text(escape(style)), bar, Text(f"{count:,}"))
    if len(ranked) > MOST_STYLES:
        rest = sum(count for _, count in ranked[MOST_STYLES:])
        grid.add_row(Text(f"{len(ranked) - MOST_STYLES} more", style="dim"), Text(""), Text(f"{rest:,}"))
    return grid


def _bar(share: float, width: int) -> str:
    """A bar of `share` (0 to 1) of `width` characters, in eighths of a character; at least one eighth."""
    eighths = max(1, round(share * width * 8))
    return "█" * (eighths // 8) + ("▏▎▍▌▋▊▉"[eighths % 8 - 1] if eighths % 8 else "")


def _totals(status: Status, waiting: dict[str, int], now: float, width: int) -> Text:
    total = sum(waiting.values())
    at_work = status.state == "watching" and any(job.step for job in status.tasks())
    line = Text(no_wrap=width < NARROW, overflow="ellipsis").append(
        "painting" if at_work else status.state, style="bold"
    )
    line.append(f"  {total:,} waiting")
    if 0 < len(waiting) <= 3:
        line.append(f" ({', '.join(f'{escape(style)} {count:,}' for style, count in waiting.items())})")
    line.append(f"  {status.delivered:,} painted", style="green" if status.delivered else "")
    line.append(f"  {status.failed:,} failed", style="red" if status.failed else "")
    counts = status.counts.on(time.strftime("%Y-%m-%d"))
    if width >= SPACIOUS[0] and counts.delivered > status.delivered:
        line.append(f"  today {counts.delivered_today:,}, in all {counts.delivered:,}", style="dim")
    rate = status.per_hour(now)
    if rate and total:
        line.append(f"  {rate:.0f} an hour" if rate >= 10 else f"  {rate:.1f} an hour", style="dim")
        line.append(f"  done in {duration(total / rate * 3600)}", style="cyan")
    return line
