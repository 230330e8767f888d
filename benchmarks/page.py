"""How fast is the book's page to play in? Milliseconds a painted pose in headless Chromium, and what the first load weighs compressed.

::

    python benchmarks/page.py _build/html

Wants a built book, Chromium, and playwright (tests/requirements.txt).
"""

import functools
import gzip
import http.server
import shutil
import statistics
import threading
from pathlib import Path

import tyro
from playwright.sync_api import sync_playwright

from kp.record import write_json

MOVES = 60


def main(site: tyro.conf.Positional[Path], out: Path = Path("results/bench/page.json")) -> None:
    """Move a joint with the arrow keys, sixty times, and time each new picture.

    Args:
        site: The built book, _build/html.
        out: Record to write.
    """
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address, fetched = f"http://127.0.0.1:{server.server_port}", set()
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"]).new_page()
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
        "bytes_of_the_largest": dict(sorted(weight.items(), key=lambda item: -item[1])[:5]),
    }
    write_json(out, numbers)
    print(numbers)


if __name__ == "__main__":
    tyro.cli(main)
