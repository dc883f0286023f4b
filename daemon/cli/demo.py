"""`styled demo`: the real daemon, watching a real folder, on built-in photographs and styles."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from daemon.assets import CONTENTS, STYLES
from daemon.config.load import load
from daemon.config.models import Config
from daemon.console.console import Console
from daemon.errors import ExitCode, JobError
from daemon.service.service import Service, handle_signals
from daemon.status import Status

PAIRS = (("landscape", "starry"), ("face", "ink"), ("street", "mosaic"), ("stilllife", "waves"))
SHEET = "demo.jpg"
MADE_BY = "# Made by `styled demo`."
CONFIG = """\
{made_by} Run the daemon here with: styled run --config {path}
root: .
default_style: starry
recipe:
  preset: fine
  size: {size}          # small, so that the demonstration is quick; `auto` is larger
styles:
{styles}"""


def run_demo(folder: Path, size: int) -> int:
    """Paint every pair in `folder` that is not painted there yet, and print where to look. The folder must be new,
    empty or of an earlier demonstration, which is continued. Returns the exit code."""
    path = folder / "config.yaml"
    if not _is_demo(path):
        if folder.exists() and any(folder.iterdir()):
            raise JobError(f"{folder} is not empty.", "Name another folder: styled demo DIR")
        folder.mkdir(parents=True, exist_ok=True)
        styles = "".join(f"  {style}: {{picture: builtin:{style}}}\n" for _, style in PAIRS)
        path.write_text(CONFIG.format(made_by=MADE_BY, path=path, size=size, styles=styles))
    config = load(path)
    missing = [pair for pair in PAIRS if not _painting(config.root, *pair).exists()]
    code = _paint(path, config, missing) if missing else ExitCode.DONE
    if all(_painting(config.root, *pair).exists() for pair in PAIRS):
        _say_where(config.root)
    return code


def _is_demo(path: Path) -> bool:
    try:
        return path.read_text().startswith(MADE_BY)
    except (OSError, UnicodeDecodeError):
        return False


def _painting(root: Path, content: str, style: str) -> Path:
    return root / "outbox" / style / f"{content}.jpg"


def _paint(path: Path, config: Config, pairs: Sequence[tuple[str, str]]) -> int:
    """Run the daemon until these pairs are painted or have failed. Returns the exit code."""
    for content, style in pairs:  # otherwise the next painting would be called face-2.jpg
        (config.root / "done" / style / f"{content}.jpg").unlink(missing_ok=True)
    drops = _drops(config.root / "inbox", pairs)

    def refresh(status: Status) -> None:
        console.refresh(status)
        if status.state == "watching":  # one photo at a time, as a person would
            next(drops, None)
        if status.delivered + status.failed >= len(pairs):
            service.stop()

    with Console(config) as console:
        service = Service(path, config, refresh)
        handle_signals(service)
        code = service.run()
    return code or (ExitCode.FAILURE if service.status.failed else ExitCode.DONE)


def _drops(inbox: Path, pairs: Sequence[tuple[str, str]]) -> Iterator[None]:
    """Copy the next photograph, unless an earlier demonstration that was stopped left it in the inbox."""
    for content, style in pairs:
        photo = inbox / style / f"{content}.jpg"
        if not photo.exists():
            shutil.copy(CONTENTS / photo.name, photo)
        yield


def _say_where(root: Path) -> None:
    from daemon.pictures.sheets import sheet, tile  # loads Pillow: not before the daemon has ended

    paintings = [_painting(root, *pair) for pair in PAIRS]
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
