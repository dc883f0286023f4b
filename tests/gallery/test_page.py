"""The gallery's page in a real browser: names are text, every control works by keyboard, and it is quick."""

import dataclasses
import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.gallery.page import Row, render
from daemon.pictures.reading import read
from tests.support.browser import CHROMIUM, Browser
from tests.support.records import a_record
from tests.support.samples import jpeg

needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium (Debian: apt-get install chromium)")
NAMES = (
    "<img src=x onerror=window.hit=1>.png",
    "</script><script>window.hit=2</script>.png",
    "100% #1 ?&.png",
    "bad\udcff\udcfe.png",
    "Tübingen 鴨川.png",
    "\"quoted\" 'one'.png",
    "javascript:window.hit=3.png",
    "line\nbreak.png",
)


def row(number: int, style: str, name: str, **changes: object) -> Row:
    record = dataclasses.replace(a_record(), curve=tuple(3 * math.exp(-n / 20) + 0.1 for n in range(60)))
    made = Row.of(f"job-{number}", os.path.join(style, name), 1.7e9 - number, record, (60, 40 + number % 30))
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def wall(folder: Path) -> list[Row]:
    """A page with a painting for each name, in two styles, half of them with their photos."""
    rows = [row(n, ("alpha", "be<b>ta")[n % 2], name, before=n % 2 == 0) for n, name in enumerate(NAMES)]
    (folder / ".gallery").mkdir()
    small, thumbnail = jpeg(60, 40, kind="PNG"), jpeg(60, 40, kind="WEBP")
    for each, name in zip(rows, NAMES, strict=True):
        path = folder / ("alpha", "be<b>ta")[int(each.id[4:]) % 2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(small)
        (folder / f".gallery/{each.id}.webp").write_bytes(thumbnail)
        (folder / f".gallery/{each.id}-before.webp").write_bytes(thumbnail)
    return rows


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> tuple[Browser, str]:
    folder = tmp_path_factory.mktemp("outbox")
    (folder / "index.html").write_text(render(wall(folder), 1.7e9))
    return browser, (folder / "index.html").as_uri()


def test_a_row_survives_its_journal_and_a_forged_one_does_not() -> None:
    made = row(1, "alpha", NAMES[3])
    assert Row.load(json.loads(json.dumps(dataclasses.asdict(made)))) == made
    with pytest.raises(ValueError, match="no thumbnail's"):
        Row.load(dataclasses.asdict(made) | {"id": "../../etc/passwd"})
    with pytest.raises((ValueError, KeyError, TypeError)):
        Row.load({"id": "a"})


def test_losses_that_are_no_numbers_spoil_no_page() -> None:
    record = dataclasses.replace(a_record(), curve=(math.inf, 1.0, 0.0, math.nan, 0.5), loss=math.nan)
    made = Row.of("a", "alpha/a.png", 0.0, record, (1, 1))
    assert re.fullmatch(r"[0-9a-z]{5}", made.curve)
    render([made], 0.0)


def test_the_page_needs_nothing_but_itself() -> None:
    """No address of anybody else's, no second file but pictures, and a policy that says so to the browser."""
    text = render([row(1, "alpha", "a.png")], 0.0)
    assert not re.search(r"""(src|href)=["'](https?:)?//""", text)
    assert "default-src 'none'" in text
    assert "'unsafe-eval'" not in text
    assert "script-src 'sha256-" in text


@needs_chromium
def test_names_are_text_and_links_lead_to_their_files(page: tuple[Browser, str]) -> None:
    browser, url = page
    browser.open(url)
    assert browser.run("window.hit") is None
    names = browser.run("[...document.querySelectorAll('.card .name')].map(node => node.textContent)")
    assert names == [row(n, "alpha", name).name for n, name in enumerate(NAMES)]
    assert r"bad\xff\xfe.png" in names
    browser.wait_for("[...document.querySelectorAll('.card img')].every(image => image.naturalWidth > 0)")
    for number in range(len(NAMES)):  # the painting itself, by its link
        browser.run(f"show({number})")
        browser.wait_for("document.querySelector('.painting').complete")
        assert browser.run("document.querySelector('.painting').naturalWidth") == 60, NAMES[number]
        assert browser.run("document.querySelector('.painting').src === document.querySelector('#open').href")
    assert browser.run("window.hit") is None
    said = [event for event in browser.events if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]
    assert not said, said


@needs_chromium
def test_everything_works_by_keyboard(page: tuple[Browser, str]) -> None:
    browser, url = page
    browser.open(url)
    focused = "document.activeElement.id || document.activeElement.className"
    order = []
    for _ in range(4):
        browser.press("Tab", 9)
        order.append(browser.run(focused))
    assert order == ["skip", "find", "unseen", "card"], "skip link, find, the styles as one stop, the paintings"
    browser.press("Enter", 13)
    assert browser.run("document.querySelector('#room').open")
    assert browser.run(focused) == "close"
    browser.press("ArrowRight", 39)
    assert browser.run("document.querySelector('#title').textContent") == NAMES[1]
    browser.press("ArrowLeft", 37)
    browser.run("document.querySelector('#cut').focus()")
    browser.press("ArrowRight", 39)
    assert browser.run("document.querySelector('#cut').getAttribute('aria-valuetext')") == "51 % photograph"
    assert browser.run("document.querySelector('#title').textContent") == NAMES[0], "the slider keeps its arrows"
    browser.press("Escape", 27)
    browser.wait_for("!document.querySelector('#room').open")
    assert browser.run(focused) == "card", "focus comes back to where it was"
    browser.run("document.querySelectorAll('#styles input')[0].focus()")
    browser.press("ArrowRight", 39)
    assert browser.run("document.querySelector('#count').textContent") == "4 of 8 paintings"


# What axe-core's serious rules come to on a page like this; names and contrast are computed, not declared.
ACCESSIBLE = r"""(() => {
  const found = [];
  const seen = node => node.checkVisibility({ checkOpacity: false, checkVisibilityCSS: true });
  const name = node => (node.getAttribute("aria-label") || document.getElementById(node.getAttribute("aria-labelledby"))
    ?.textContent || node.closest("label")?.textContent || node.textContent || "").trim();
  for (const node of document.querySelectorAll("button, a[href], input, [role=img]"))
    if (seen(node) && !name(node)) found.push("no name: " + node.outerHTML.slice(0, 80));
  for (const node of document.querySelectorAll("img")) if (!node.hasAttribute("alt")) found.push("no alt");
  const ids = [...document.querySelectorAll("[id]")].map(node => node.id);
  if (new Set(ids).size !== ids.length) found.push("an id twice");
  if (!document.documentElement.lang || !document.title) found.push("no language or title");
  for (const tag of ["main", "header", "footer", "h1"])
    if (document.querySelectorAll(tag).length !== 1) found.push("not one " + tag);
  const light = text => { const [r, g, b] = text.match(/[\d.]+/g).map(Number).map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const behind = node => { for (; node; node = node.parentElement) { const c = getComputedStyle(node).backgroundColor;
    if (/^rgb\(/.test(c)) return c; } return "rgb(255, 255, 255)"; };
  for (const node of document.querySelectorAll("body *")) {
    if (!seen(node) || node.closest("script, style, noscript, .unseen, .skip, :disabled")) continue;
    if (![...node.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const [a, b] = [light(getComputedStyle(node).color), light(behind(node))].sort((x, y) => y - x);
    const contrast = (a + .05) / (b + .05);
    if (contrast < 4.5) found.push(`contrast ${contrast.toFixed(2)}: ${node.outerHTML.slice(0, 80)}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) found.push("wider than its window");
  return found;
})()"""


@needs_chromium
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [(1280, 900), (320, 640)])
def test_it_is_accessible_in_light_and_dark_wide_and_narrow(
    page: tuple[Browser, str], dark: bool, size: tuple[int, int], tmp_path: Path
) -> None:
    browser, url = page
    browser.dark(dark)
    browser.resize(*size)
    browser.open(url)
    assert browser.run(ACCESSIBLE) == []
    browser.run("show(0)")
    assert browser.run(ACCESSIBLE) == []
    browser.screenshot(tmp_path / "page.png")
    with (tmp_path / "page.png").open("rb") as file:
        brightness = read(file, max_megapixels=10).pixels[-1, 0].mean()
    assert brightness < 0.3 if dark else brightness > 0.7


@needs_chromium
def test_an_empty_page_says_what_to_do(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(render([], 0.0))
    browser.open((tmp_path / "index.html").as_uri())
    assert "Drop a photograph into inbox/" in browser.run("document.querySelector('#empty').textContent")


@needs_chromium
def test_five_thousand_paintings_open_in_under_two_seconds_and_load_lazily(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / ".gallery").mkdir()
    thumbnail = jpeg(60, 40, kind="WEBP")
    rows = [row(n, f"style-{n % 12}", f"holiday/IMG_{n:05d}.jpg") for n in range(5000)]
    for each in rows:
        (tmp_path / f".gallery/{each.id}.webp").write_bytes(thumbnail)
    (tmp_path / "index.html").write_text(render(rows, 0.0))
    browser.resize(1280, 900)
    browser.open((tmp_path / "index.html").as_uri())
    assert browser.run("document.querySelector('#count').textContent") == "5000 paintings"
    assert browser.run("Number(document.documentElement.dataset.ready)") < 2000
    asked = sum(event["method"] == "Network.requestWillBeSent" for event in browser.events)
    assert asked < 400, "only what is near is loaded"
    browser.run("document.querySelector('#find').value = '04999', choose()")
    assert browser.run("document.querySelector('#count').textContent") == "1 of 5000 paintings"
    browser.run("document.querySelector('#find').value = '', choose()")
    for _ in range(3):
        cards = browser.run("document.querySelectorAll('.card').length")
        browser.run("scrollTo(0, document.body.scrollHeight)")
        browser.wait_for(f"document.querySelectorAll('.card').length > {cards}")
