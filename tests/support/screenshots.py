"""The README's pictures of the gallery, made by hand from a folder with paintings:

python -m tests.support.screenshots DIR
"""

import sys
import tempfile
from pathlib import Path

from tests.support.browser import Browser

OUT = Path(__file__).parents[2] / ".github"


def main() -> None:
    page = (Path(sys.argv[1]).absolute() / "outbox/index.html").as_uri()
    with tempfile.TemporaryDirectory() as profile, Browser(Path(profile), 1280, 800) as browser:
        for name, dark, height in (("gallery-light", False, 720), ("gallery-dark", True, 660)):
            browser.dark(dark)
            browser.resize(1280, height)
            browser.open(page)
            if dark:
                browser.run("open(shown.find(row => data.styles[row.style] === 'starry').id)")
            browser.run("new Promise(done => setTimeout(done, 800))")
            browser.screenshot(OUT / f"{name}.jpg")


if __name__ == "__main__":
    main()
