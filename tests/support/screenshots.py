"""The README's pictures of the console and the gallery, made by hand from a demo's folder:

styled demo /tmp/demo && python -m tests.support.screenshots /tmp/demo
"""

import io
import math
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console as Terminal
from rich.text import Text

from daemon.console.view import view
from daemon.pictures.thumbnails import sketch_file
from daemon.status import Counts, FinishedPainting, Status
from daemon.transfer.steps import Step
from tests.support.browser import Browser

OUT = Path(__file__).parents[2] / ".github"


def board(demo: Path) -> Status:
    """A daemon in the middle of its work, with the demo's own paintings behind it."""
    made = Status(state="watching", device="a GPU", weights="embedded", delivered=4)
    made.waiting = {"starry": 7312, "ink": 2100, "waves": 580, "mosaic": 12}
    made.counts = Counts(delivered=3201, failed=2, day=time.strftime("%Y-%m-%d"), delivered_today=128)
    now = time.monotonic()
    for age, path in enumerate(sorted(demo.glob("outbox/*/*.jpg"))):
        with path.open("rb") as file:
            preview = sketch_file(file, None).preview
        made.show(
            FinishedPainting(
                f"{path.parent.name}/{path.name}", path.parent.name, 41.0 + 7 * age, preview, now - 300 + 70 * age
            )
        )
    for job, name, steps in (("1", "starry/Tübingen am Neckar.jpg", 251), ("2", "ink/holiday/IMG_2041.heic", 0)):
        made.begin(job, name, name.partition("/")[0])
        made.stage(job, "painting" if steps else "reading")
        for step in range(1, steps + 1):
            scale, here = 1 + (step - 1) // 40, (step - 1) % 40
            loss = (1.5 * math.exp(-here / 9) + 0.4) / scale**0.5
            made.step(job, Step(step, 360, loss, scale, 9, 2 ** (scale - 9) * (1 + here / 40)))
    made._tasks["1"].started = now - 31
    return made


def console(demo: Path, columns: int = 120) -> str:
    """The live view with the lines above it, as SVG."""
    terminal = Terminal(record=True, width=columns, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in ("mosaic/street.jpg in 1 min 02 s", "waves/stilllife.jpg in 55 s"):
        terminal.print(Text.assemble(("14:03:12  ", "dim"), ("✓ ", "green"), f"painted {line}"))
    terminal.print(view(board(demo), columns, 40, pictures=True))
    return terminal.export_svg(title="styled run")


def main() -> None:
    demo = Path(sys.argv[1]).absolute()
    (OUT / "console.svg").write_text(console(demo))
    with tempfile.TemporaryDirectory() as profile, Browser(Path(profile), 1280, 800) as browser:
        for dark in (False, True):
            browser.dark(dark)
            browser.resize(1280, 720 if dark else 540)
            browser.open((demo / "outbox/index.html").as_uri())
            if dark:
                browser.run("show(1)")
            browser.run("new Promise(done => setTimeout(done, 800))")
            browser.screenshot(OUT / f"gallery-{'dark' if dark else 'light'}.jpg")


if __name__ == "__main__":
    main()
