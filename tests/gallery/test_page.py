"""The gallery's page in a real browser: names are text, every control works by keyboard, and it is quick."""

import dataclasses
import functools
import http.server
import json
import math
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.assets import GALLERY_PAGE
from daemon.gallery.board import Board, Failure
from daemon.gallery.files import stamp
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


def test_the_script_names_the_fields_of_a_row_in_their_order() -> None:
    found = re.search(r"const FIELDS = (\[.*?\]);", GALLERY_PAGE.read_text())
    assert found is not None
    assert json.loads(found[1]) == [field.name for field in dataclasses.fields(Row)]


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
        browser.run(f"show(shown[{number}].id)")
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
    for _ in range(5):
        browser.press("Tab", 9)
        order.append(browser.run(focused))
    assert order == ["skip", "find", "sort", "unseen", "card"], (
        "skip link, find, sort, the styles as one, the paintings"
    )
    browser.press("Enter", 13)
    browser.wait_for("document.querySelector('#room').open && document.activeElement.id === 'close'")
    browser.press("ArrowRight", 39)
    browser.wait_for(f"document.querySelector('#title').textContent === {NAMES[1]!r}")
    browser.press("ArrowLeft", 37)
    browser.wait_for(f"document.querySelector('#title').textContent === {NAMES[0]!r}")
    browser.run("document.querySelector('#cut').focus()")
    browser.press("ArrowRight", 39)
    assert browser.run("document.querySelector('#cut').getAttribute('aria-valuetext')") == "51 % photograph"
    assert browser.run("document.querySelector('#title').textContent") == NAMES[0], "the slider keeps its arrows"
    browser.press("Escape", 27)
    browser.wait_for(
        "!document.querySelector('#room').open && document.activeElement.className === 'card'"
    )  # as before
    browser.run("document.querySelectorAll('#styles input')[0].focus()")
    browser.press("ArrowRight", 39)
    browser.wait_for("document.querySelector('#count').textContent === '4 of 8 paintings'")


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
    browser.run("open(shown[0].id)")
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


@needs_chromium
@pytest.mark.parametrize("width", [400, 1280])
def test_paintings_of_one_row_have_one_height_whatever_their_shape(
    browser: Browser, tmp_path: Path, width: int
) -> None:
    (tmp_path / ".gallery").mkdir()
    shapes = ((1200, 800), (800, 1200), (1000, 1000)) * 4
    rows = [row(n, "alpha", f"{n}.png", width=w, height=h) for n, (w, h) in enumerate(shapes)]
    browser.resize(width, 900)
    browser.open(write_page(tmp_path, rows, 1_700_000_000))
    boxes = browser.run(
        "[...document.querySelectorAll('.card img')].map(each => each.getBoundingClientRect().toJSON())"
    )
    by_row: dict[int, list[float]] = {}
    for box in boxes:
        by_row.setdefault(round(box["top"]), []).append(box["height"])
    assert len(by_row) > 1
    for heights in by_row.values():
        assert max(heights) - min(heights) < 1, by_row


BOARD = Board(
    title="<b>Studio</b> 鴨",
    working=("alpha/<i>now</i>.jpg",),
    waiting=70,
    upcoming=tuple(f"alpha/{n}.jpg" for n in range(60)),
    growing=(("be/half.jpg", "it grows"),),
    trouble="the disk is full",
)
FAILURES = [Failure("alpha/<img src=x onerror=window.hit=4>.jpg", "It is text, not a picture.", 1_700_000_000)]


def write_page(folder: Path, rows: list[Row], at: int, board: Board = BOARD) -> str:
    """As the daemon writes it, with a picture for the style alpha; returns its address."""
    (folder / ".gallery/style-1.webp").write_bytes(jpeg(50, 40, kind="WEBP"))
    (folder / "index.html").write_text(render(rows, at, board, FAILURES, {"alpha": ["style-1"], "unused": []}))
    (folder / ".gallery/now.svg").write_text(stamp(at))
    return (folder / "index.html").as_uri()


@pytest.fixture
def studio(browser: Browser, tmp_path: Path) -> tuple[Browser, Path, list[Row]]:
    """A page that is open, with its folder and rows."""
    rows = wall(tmp_path)
    browser.resize(1280, 900)
    browser.open(write_page(tmp_path, rows, 1_700_000_000))
    return browser, tmp_path, rows


def shown(browser: Browser) -> str | None:
    """The name of the painting that is open."""
    name: str | None = browser.run("$('room').open ? $('title').textContent : null")
    return name


@needs_chromium
def test_what_waits_and_what_failed_is_told_as_text(studio: tuple[Browser, Path, list[Row]]) -> None:
    browser, _, _ = studio
    said = browser.run("$('short').textContent")
    assert said == "1 photo being painted · 70 waiting · 1 failed · paused: the disk is full"
    browser.run("$('now').open = true")
    lines = browser.run("[...document.querySelectorAll('#long li')].map(node => node.textContent)")
    assert lines[0] == "alpha/<i>now</i>.jpg"
    assert "be/half.jpg: it grows" in lines
    assert lines[-2:] == ["… and 19 more", f"{FAILURES[0].name}: It is text, not a picture."]
    assert browser.run("[document.title, $('heading').textContent]") == ["<b>Studio</b> 鴨"] * 2
    assert browser.run(ACCESSIBLE) == []
    assert browser.run("window.hit") is None


@needs_chromium
def test_back_closes_a_painting_and_forward_opens_it_again(studio: tuple[Browser, Path, list[Row]]) -> None:
    browser, _, _ = studio
    before = browser.run("history.length")
    browser.run("document.querySelector('.card').focus()")
    browser.press("Enter", 13)
    browser.press("ArrowRight", 39)
    assert shown(browser) == NAMES[1]
    assert browser.run("history.length") == before + 1, "turning pages fills no history"
    browser.run("history.back()")
    browser.wait_for("!$('room').open")
    assert browser.run("location.hash") == ""
    browser.run("history.forward()")
    browser.wait_for("$('room').open")
    assert shown(browser) == NAMES[1]
    browser.press("Escape", 27)
    browser.wait_for("location.hash === ''")
    assert shown(browser) is None


@needs_chromium
def test_an_address_with_a_painting_opens_it(studio: tuple[Browser, Path, list[Row]]) -> None:
    browser, folder, rows = studio
    browser.open("about:blank")
    browser.open(f"{(folder / 'index.html').as_uri()}#{rows[2].id}")
    assert shown(browser) == rows[2].name


@needs_chromium
def test_no_picture_is_shown_larger_than_it_is(studio: tuple[Browser, Path, list[Row]]) -> None:
    browser, _, _ = studio
    widths = browser.run("[...document.querySelectorAll('.card img')].map(image => image.clientWidth)")
    assert max(widths) <= 60
    browser.run("open(shown[0].id)")
    assert browser.run("document.querySelector('.painting').clientWidth") <= 60


@needs_chromium
def test_a_card_has_no_curve_and_the_placard_shows_the_styles_own_picture(
    studio: tuple[Browser, Path, list[Row]],
) -> None:
    browser, _, _ = studio
    assert browser.run("document.querySelectorAll('#wall svg').length") == 0
    browser.run("open(shown[0].id)")
    browser.wait_for("[...document.querySelectorAll('#model img')].map(image => image.naturalWidth).join() === '50'")
    assert browser.run("$('loss').checkVisibility()") is False, "folded away"
    browser.run("step(1)")
    assert browser.run("document.querySelectorAll('#model img').length") == 0, "this style has no picture any more"


@needs_chromium
def test_paintings_are_sorted_by_time_and_by_name(studio: tuple[Browser, Path, list[Row]]) -> None:
    browser, _, _ = studio
    names = "[...document.querySelectorAll('.card .name')].map(node => node.textContent)"
    newest = browser.run(names)
    browser.run("$('sort').value = 'oldest', $('sort').dispatchEvent(new Event('change'))")
    assert browser.run(names) == newest[::-1]
    browser.run("$('sort').value = 'name', $('sort').dispatchEvent(new Event('change'))")
    assert browser.run(names) == browser.run(
        f"{names}.toSorted(new Intl.Collator(undefined, {{numeric: true}}).compare)"
    )


@needs_chromium
def test_f_fills_the_screen_with_the_painting(studio: tuple[Browser, Path, list[Row]]) -> None:
    browser, _, _ = studio
    browser.run("open(shown[0].id)")
    browser.press("f", 70)
    browser.wait_for("document.fullscreenElement?.id === 'hung'")
    browser.press("ArrowRight", 39)
    assert shown(browser) == NAMES[1]
    browser.press("f", 70)
    browser.wait_for("document.fullscreenElement === null")


def touch(browser: Browser, *points: tuple[float, float]) -> None:
    """A finger that goes down, moves and goes up."""
    for number, (x, y) in enumerate(points):
        kind = "touchMove" if number else "touchStart"
        browser.call("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y}])
    browser.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])


@needs_chromium
def test_a_swipe_turns_the_page_and_a_finger_on_the_edge_moves_it(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / ".gallery").mkdir()
    rows = [row(n, "alpha", f"{n}.png", width=600, height=400, before=True) for n in range(3)]
    browser.resize(700, 900)
    browser.open(write_page(tmp_path, rows, 1_700_000_000))
    browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
    browser.run("open(shown[0].id)")
    left, top, width, height = browser.run(
        "(box => [box.left, box.top, box.width, box.height])(document.querySelector('.pair').getBoundingClientRect())"
    )
    middle = top + height / 2
    touch(browser, (left + 0.9 * width, middle), (left + 0.6 * width, middle), (left + 0.2 * width, middle))
    assert shown(browser) == "1.png"
    touch(browser, (left + 0.1 * width, middle), (left + 0.5 * width, middle), (left + 0.9 * width, middle))
    assert shown(browser) == "0.png"
    touch(browser, (left + 0.5 * width, middle), (left + 0.6 * width, middle), (left + 0.8 * width, middle))
    assert shown(browser) == "0.png"
    assert browser.run("Number($('cut').value)") == pytest.approx(80, abs=2)
    browser.call("Emulation.setTouchEmulationEnabled", enabled=False)


@pytest.fixture(params=["file", "http"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where the page of `studio` is opened: as a file, or from a web server."""
    if request.param == "file":
        yield tmp_path.as_uri()
        return
    handler = functools.partial(SilentHandler, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


class SilentHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@needs_chromium
def test_an_open_page_takes_what_is_new_without_being_loaded_again(
    studio: tuple[Browser, Path, list[Row]], place: str
) -> None:
    browser, folder, rows = studio
    browser.open(f"{place}/index.html")
    browser.run("window.kept = 1, open(shown[0].id), look()")
    browser.run("new Promise(done => setTimeout(done, 200))")
    assert browser.run("$('count').textContent") == "8 paintings", "nothing is new"
    new = row(99, "gamma", "<b>new</b>.png")
    write_page(folder, [new, *rows], 1_700_000_031, dataclasses.replace(BOARD, waiting=0, title="Another"))
    browser.run("look()")
    browser.wait_for("$('count').textContent === '9 paintings'")
    assert browser.run("window.kept") == 1
    assert shown(browser) == rows[0].name, "what is open stays open"
    assert browser.run("document.title") == "Another"
    assert "gamma" in browser.run("$('styles').textContent")
    write_page(folder, rows, 1_700_000_062)
    browser.run("look()")
    browser.wait_for("$('count').textContent === '8 paintings'")
    assert browser.run("window.hit") is None


@needs_chromium
def test_a_film_is_played_where_there_is_one(studio: tuple[Browser, Path, list[Row]]) -> None:
    browser, folder, rows = studio
    with_film = dataclasses.replace(row(50, "alpha", "100% #1.png", before=True), film=True)
    (folder / "alpha/100% #1.png").write_bytes(jpeg(60, 40, kind="PNG"))
    (folder / "alpha/100% #1.film.webp").write_bytes(jpeg(30, 20, kind="WEBP"))
    browser.open(write_page(folder, [with_film, *rows[1:]], 1_700_000_000))
    browser.run("open(shown.find(row => !row.film).id)")
    assert browser.run("$('film').checkVisibility()") is False
    browser.run("show(shown.find(row => row.film).id)")
    browser.run("$('film').click()")
    browser.wait_for("document.querySelector('.painting').naturalWidth === 30")
    assert browser.run("document.querySelector('.photo').checkVisibility()") is False
    browser.run("$('film').click()")
    browser.wait_for("document.querySelector('.painting').naturalWidth === 60")
    assert browser.run("document.querySelector('.photo').checkVisibility()") is True
