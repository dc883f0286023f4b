"""`styled demo`: the real daemon, watching a real folder, on built-in photographs and styles."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from daemon.assets import CONTENTS, STYLES
from daemon.config.load import load
from daemon.console.console import Console
from daemon.errors import ExitCode, JobError
from daemon.service.service import Service, handle_signals
from daemon.status import Status

PAIRS = (("landscape", "starry"), ("face", "ink"), ("street", "mosaic"), ("stilllife", "waves"))
SHEET = "demo.jpg"
CONFIG = """\
# Made by `styled demo`. Run the daemon here with: styled run --config {path}
root: .
default_style: starry
recipe:
  preset: fine
  size: {size}          # small, so that the demonstration is quick; `auto` is larger
styles:
{styles}"""


def run_demo(folder: Path, size: int) -> int:
    """Paint every pair in `folder`, which must be new or empty, and print where to look. Returns the exit code."""
    if folder.exists() and any(folder.iterdir()):
        raise JobError(f"{folder} is not empty.", "Name another folder: styled demo DIR")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    styles = "".join(f"  {style}: {{picture: builtin:{style}}}\n" for _, style in PAIRS)
    path.write_text(CONFIG.format(path=path, size=size, styles=styles))
    config = load(path)
    drops = _drops(config.root / "inbox")

    def refresh(status: Status) -> None:
        console.refresh(status)
        if status.state == "watching":  # one photo at a time, as a person would
            next(drops, None)
        if status.delivered + status.failed == len(PAIRS):
            service.stop()

    with Console(config) as console:
        service = Service(path, config, refresh)
        handle_signals(service)
        code = service.run()
    if service.status.delivered < len(PAIRS):
        return code or (ExitCode.FAILURE if service.status.failed else ExitCode.DONE)
    _say_where(config.root)
    return ExitCode.DONE


def _drops(inbox: Path) -> Iterator[None]:
    for content, style in PAIRS:
        shutil.copy(CONTENTS / f"{content}.jpg", inbox / style)
        yield


def _say_where(root: Path) -> None:
    from daemon.pictures.sheets import sheet, tile  # loads Pillow: not before the daemon has ended

    paintings = [root / "outbox" / style / f"{content}.jpg" for content, style in PAIRS]
    tiles = [
        [
            tile(CONTENTS / f"{content}.jpg", "photograph"),
            tile(STYLES / f"{style}.jpg", f"style {style}"),
            tile(painting, "painting"),
        ]
        for (content, style), painting in zip(PAIRS, paintings, strict=True)
    ]
    with (root / SHEET).open("wb") as file:
        sheet(tiles, file, kind="jpeg")
    print(f"\nPhoto, style and painting side by side:  {root / SHEET}")
    for painting in paintings:
        print(f"  {painting}")
    page = root / "outbox/index.html"
    print(f"\nAll paintings on one page, the gallery:  {page}")
    print(f"  in a browser: {page.as_uri()}")
    print(f"\nNow your own photographs: styled run --config {root / 'config.yaml'}")
    print(f"and drop them into {root / 'inbox'}/starry/")
