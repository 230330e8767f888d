"""The whole book as one PDF: every page of the built site printed by Chromium, in the order of the contents, with
bookmarks.

::

    python book/_ext/pdf.py _build/html _build/keypoints.pdf
"""

import functools
import http.server
import io
import os
import shutil
import sys
import threading
from pathlib import Path

import yaml
from playwright.sync_api import sync_playwright
from pypdf import PdfReader, PdfWriter
from tqdm import tqdm

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

UNLINK = "document.querySelectorAll('article a').forEach((a) => a.host === location.host && a.removeAttribute('href'))"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def contents(toc: dict) -> list[tuple[str | None, str]]:
    """(caption of the part that begins here, or None; page) in order."""
    pages = [(None, toc["root"])]
    for part in toc["parts"]:
        pages += [(part["caption"] if i == 0 else None, chapter["file"]) for i, chapter in enumerate(part["chapters"])]
    return pages


def print_book(site: Path, toc: dict, out: Path) -> int:
    """Write the PDF; returns its number of pages.

    Links from page to page are dropped: they would lead to this machine.
    """
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    writer, part = PdfWriter(), None
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]).new_page()
        for caption, name in tqdm(contents(toc), desc="printing", unit="page"):
            page.goto(f"http://127.0.0.1:{server.server_port}/{name}.html", wait_until="load")
            page.wait_for_function("!window.MathJax || !MathJax.startup || MathJax.startup.promise.then(() => true)")
            title = page.locator("article h1").first.inner_text().rstrip("#\n ")
            page.evaluate(UNLINK)
            printed = page.pdf(format="A4", margin=dict(top="18mm", bottom="18mm", left="16mm", right="16mm"))
            first = len(writer.pages)
            writer.append(PdfReader(io.BytesIO(printed)), import_outline=False)
            if caption:
                part = writer.add_outline_item(caption, first)
            writer.add_outline_item(title, first, parent=part)
    writer.add_metadata({"/Title": "Keypoints from unlabelled video", "/Author": "The kp authors"})
    out.parent.mkdir(parents=True, exist_ok=True)
    writer.compress_identical_objects()
    writer.write(out)
    server.shutdown()
    return len(writer.pages)


if __name__ == "__main__":
    if not CHROMIUM:
        sys.exit(
            "no Chromium here: install it (Debian: apt-get install chromium), or name one in the environment variable "
            "CHROMIUM"
        )
    site, out = map(Path, sys.argv[1:])
    print(f"{out}: {print_book(site, yaml.safe_load(Path('_toc.yml').read_text()), out)} pages")
