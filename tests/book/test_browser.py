"""Every page of the built book in a real browser: desktop, dark and phone; whole, accessible, and without the network.

Needs Chromium (Debian: ``apt-get install chromium``). Without one these tests are left out, except in CI.
"""

import functools
import gzip
import http.server
import json
import os
import shutil
import threading
from pathlib import Path

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from kp.method.renderer import render_skeleton

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
    "rules": {"region": {"enabled": False}},
    "preload": False,
}
PIXELS = "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].join()"
HEADING = ".bd-article h1, .bd-search-container h1, .slide h1"
BUDGET = 400_000  # bytes before the first text: two seconds at 1.6 megabits


class Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(site):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM and not os.environ.get("CI"):
        pytest.skip("no Chromium here: apt-get install chromium, or name one in CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """A tab that remembers what went wrong in it, and what it asked for elsewhere."""

    def __init__(self, browser, address: str, **options):
        self.address, self.wrong, self.path = address, [], ""
        self.page: Page = browser.new_context(**options).new_page()
        self.page.on("console", lambda m: self.note(f"console: {m.text}") if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.note(f"script: {e}"))
        self.page.on("request", self.stays)
        self.page.on(
            "response", lambda r: self.note(f"{r.status}: {r.url.removeprefix(address)}") if r.status >= 400 else None
        )

    def note(self, problem: str):
        self.wrong.append((self.path, problem))

    def stays(self, request):
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.note(f"elsewhere: {request.url}")

    def open(self, path: str):
        self.path = path
        self.page.goto(f"{self.address}/{path}", wait_until="load")
        return self.page


def report(problems: list[tuple[str, str]]) -> str:
    """Each problem once, with the pages that have it; "" if there is none."""
    where: dict[str, list[str]] = {}
    for page, problem in problems:
        where.setdefault(problem, []).append(page)
    return "\n".join(f"{problem}  ({len(set(on))}: {', '.join(sorted(set(on))[:4])})" for problem, on in where.items())


def complaints(page: Page, options: dict) -> list[str]:
    found = Axe().run(page, options=options).response["violations"]
    return [f"{v['id']}: {node['html'][:160]}" for v in found for node in v["nodes"][:3]]


def test_every_page_at_desktop_width(browser, address, pages):
    tab = Watched(browser, address, viewport={"width": 1280, "height": 900})
    for path in pages:
        page = tab.open(path)
        if page.locator(HEADING).count() != 1:
            tab.note(f"{page.locator(HEADING).count()} headings of the first level")
        for source in page.eval_on_selector_all("img:not([alt])", "all => all.map((i) => i.src)"):
            tab.note(f"no alternative text: {source}")
        for complaint in complaints(page, RULES):
            tab.note(complaint)
    assert not tab.wrong, report(tab.wrong)


def test_every_page_in_the_dark(browser, address, pages):
    tab = Watched(browser, address, color_scheme="dark", viewport={"width": 1280, "height": 900})
    for path in pages:
        page = tab.open(path)
        for complaint in complaints(page, {"runOnly": ["color-contrast"], "preload": False}):
            tab.note(complaint)
    assert not tab.wrong, report(tab.wrong)


def test_every_page_on_a_phone(browser, address, pages):
    tab = Watched(browser, address, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    for path in pages:
        page = tab.open(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 391:
            tab.note(f"{width} pixels wide")
    assert not tab.wrong, report(tab.wrong)


def test_text_is_seen_early(browser, address, pages, site):
    """What must arrive before the first text (the page, its styles, scripts that block) fits two seconds of a slow
    connection.
    """
    tab = Watched(browser, address)
    blocking = """() => [...document.querySelectorAll('link[rel=stylesheet], head script[src]')]
                  .filter(e => !e.defer && !e.async && e.type != 'module').map(e => e.href || e.src)"""
    for path in pages:
        urls = [f"{address}/{path}", *tab.open(path).evaluate(blocking)]
        files = {site / u.split("?")[0].removeprefix(f"{address}/") for u in urls}
        size = sum(len(gzip.compress(f.read_bytes())) for f in files)
        assert size < BUDGET, f"{path}: {size} bytes compressed before the first text: {sorted(f.name for f in files)}"


def test_a_joint_can_be_dragged_and_is_painted(browser, address, site):
    tab = Watched(browser, address, viewport={"width": 1280, "height": 900})
    page = tab.open("results/play.html")
    play = page.locator(".play[data-play=repose]")
    play.scroll_into_view_if_needed()
    page.wait_for_selector(".play[data-play=repose][data-ready=true]")

    def canvas(i):
        return play.locator("canvas").nth(i).evaluate(PIXELS)

    drawn, painted = canvas(0), canvas(2)
    joint = play.locator("circle").nth(13)
    box = joint.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 40, box["y"] - 40, steps=4)
    page.mouse.up()
    page.wait_for_selector("[data-painted]", timeout=60_000)
    assert canvas(0) != drawn and canvas(2) != painted
    before = int(page.locator("[data-painted]").get_attribute("data-painted"))
    x = float(joint.get_attribute("cx"))
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"Number(document.querySelector('[data-painted]').dataset.painted) > {before}")
    assert float(joint.get_attribute("cx")) == pytest.approx(x + 0.03)
    play.get_by_role("button", name="3").first.click()
    assert not tab.wrong, report(tab.wrong)


def test_a_finger_moves_a_joint(browser, address):
    tab = Watched(browser, address, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = tab.open("results/play.html")
    page.locator(".play[data-play=repose]").scroll_into_view_if_needed()
    page.wait_for_selector(".play[data-play=repose][data-ready=true]")
    joint = page.locator(".play[data-play=repose] circle").nth(13)
    joint.scroll_into_view_if_needed()
    box, at, scrolled = joint.bounding_box(), float(joint.get_attribute("cy")), page.evaluate("scrollY")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    hand = page.context.new_cdp_session(page)
    hand.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 6):
        hand.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y - 8 * step}]})
    hand.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_selector("[data-painted]", timeout=60_000)
    assert float(joint.get_attribute("cy")) < at - 0.1
    assert page.evaluate("scrollY") == scrolled  # the page stays where it is
    assert not tab.wrong, report(tab.wrong)


def test_without_scripts_there_are_pictures(browser, address):
    page = Watched(browser, address, java_script_enabled=False).open("results/play.html")
    pictures = page.locator(".play[data-play] .play-fallback img")
    assert pictures.count() == 3
    for i in range(3):
        assert pictures.nth(i).is_visible() and len(pictures.nth(i).get_attribute("alt")) > 40


def test_search_finds_a_chapter(browser, address):
    tab = Watched(browser, address)
    page = tab.open("search.html?q=bottleneck")
    page.wait_for_selector("#search-results li a")
    assert any(
        "leakage" in link for link in page.eval_on_selector_all("#search-results li a", "all => all.map((a) => a.href)")
    )
    assert not tab.wrong, report(tab.wrong)


def test_the_pages_renderer_is_ours(browser, address, site):
    spec = json.loads((site / "_static/play/repose.json").read_text())
    page = Watched(browser, address).open("results/play.html")
    script = "async ([p, e, s, w]) => [...(await import('../_static/play/repose.js')).draw(p, e, s, w)]"
    made = page.evaluate(script, [spec["poses"][1], spec["edges"], spec["size"], spec["sigma"]])
    edges = [tuple(edge) for edge in spec["edges"]]
    right = render_skeleton(torch.tensor([spec["poses"][1]]), edges, spec["size"], spec["sigma"]).flatten()
    assert (torch.tensor(made) - right).abs().max() < 1e-4


def test_sliders_change_the_pictures(browser, address):
    tab = Watched(browser, address)
    page = tab.open("results/play.html")
    for kind, control in (("training", "training step"), ("leakage", "threshold: hide what is brighter than")):
        play = page.locator(f".play[data-play={kind}]")
        play.scroll_into_view_if_needed()
        page.wait_for_selector(f".play[data-play={kind}][data-ready=true]")

        def picture(i, play=play):
            return play.locator("canvas").nth(i).evaluate(PIXELS)

        last = play.locator("canvas").count() - 1
        before = picture(last)
        slider = play.get_by_label(control, exact=True)
        slider.focus()
        page.keyboard.press("Home")
        assert picture(last) != before
    assert not tab.wrong, report(tab.wrong)


def test_slides_turn(browser, address, site):
    tab = Watched(browser, address)
    decks = sorted(Path(site, "slides").glob("*.html"))
    assert len(decks) == 12
    for deck in decks:
        page = tab.open(f"slides/{deck.name}")
        assert page.locator(".slide").count() >= 14, deck.name
        assert page.locator(".slide:visible").count() == 1
        first = page.locator(".slide:visible").inner_text()
        page.keyboard.press("ArrowRight")
        assert page.locator(".slide:visible").inner_text() != first
        notes = page.locator(".slide.on .notes")
        assert not notes.is_visible()
        page.keyboard.press("n")
        assert notes.is_visible() and len(notes.inner_text().split()) >= 60
        assert all(page.eval_on_selector_all(".slide li", "all => all.map((i) => i.textContent.trim())")), (
            f"{deck.name}: an empty line"
        )
    assert not tab.wrong, report(tab.wrong)
