"""How fast are the book's pages? Milliseconds a painted pose in headless Chromium, weight of the first load, and when
text is seen.

Seen on a slow line: 1.6 megabits a second, 150 ms there and back, files compressed as hosts of static pages do.

::

    python -m kp.research.scripts.page _build/html

Needs a built book, Chromium, and playwright (tests/requirements.txt).
"""

import functools
import gzip
import http.server
import mimetypes
import shutil
import statistics
import threading
from pathlib import Path

import tyro
from playwright.sync_api import sync_playwright

from kp.provenance import write_record

MOVES = 60
SLOW = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 0.75e6 / 8}
PAGES = (
    "book/index.html",
    "book/leakage.html",
    "results/train.html",
    "results/play.html",
    "book/api.html",
    "slides/renderer.html",
)
FIRST_TEXT = """() => new Promise((resolve) => new PerformanceObserver((list) => {
  for (const { name, startTime } of list.getEntries()) if (name === "first-contentful-paint") resolve(startTime);
}).observe({ type: "paint", buffered: true }))"""


class Compressed(http.server.SimpleHTTPRequestHandler):
    """Serves files compressed, as hosts of static pages do."""

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            return self.send_error(404)
        body = gzip.compress(path.read_bytes())
        self.send_response(200)
        self.send_header(
            "Content-Type",
            "text/javascript" if path.suffix == ".mjs" else mimetypes.guess_type(path)[0] or "application/octet-stream",
        )
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def first_text(browser, url: str) -> float:
    """Milliseconds until the first text of a page is seen on the slow connection, nothing cached."""
    page = browser.new_context().new_page()
    line = page.context.new_cdp_session(page)
    line.send("Network.enable")
    line.send("Network.emulateNetworkConditions", SLOW)
    page.goto(url, wait_until="commit")
    seen = page.evaluate(FIRST_TEXT)
    page.context.close()
    return round(seen)


def main(site: tyro.conf.Positional[Path], out: Path = Path("results/bench/page.json")) -> None:
    """Open pages on a slow line; then move a joint with the arrow keys, sixty times, and time each new picture.

    Args:
        site: The built book, _build/html.
        out: Record to write.
    """
    handler = functools.partial(Compressed, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address, fetched = f"http://127.0.0.1:{server.server_port}", set()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        seen = {name: first_text(browser, f"{address}/{name}") for name in PAGES}
        page = browser.new_page()
        page.on("request", lambda request: fetched.add(request.url))
        page.goto(f"{address}/results/play.html")
        joint = page.locator(".play[data-play=repose][data-ready=true] circle").nth(13)
        joint.focus()
        milliseconds = []
        for move in range(MOVES):
            page.keyboard.press("ArrowLeft" if move % 20 < 10 else "ArrowRight")
            page.wait_for_function(f"Number(document.querySelector('[data-painted]')?.dataset.painted) > {move}")
            milliseconds.append(int(page.locator(".play-status").first.inner_text().split()[2]))
    files = {site / url.removeprefix(f"{address}/").split("?")[0] for url in fetched if url.startswith(address)}
    weight = {path.name: len(gzip.compress(path.read_bytes())) for path in files}
    numbers = {
        "milliseconds_median": statistics.median(milliseconds[1:]),
        "milliseconds_worst": max(milliseconds[1:]),
        "milliseconds_first_with_loading": milliseconds[0],
        "bytes_compressed": sum(weight.values()),
        "milliseconds_to_first_text_on_a_slow_line": seen,
        "bytes_of_the_largest": dict(sorted(weight.items(), key=lambda item: -item[1])[:5]),
    }
    write_record(out, numbers)
    print(numbers)


if __name__ == "__main__":
    tyro.cli(main)
