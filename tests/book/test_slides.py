"""The decks: one message and something to look at on every slide, and notes for forty minutes."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PARTS = yaml.safe_load((ROOT / "_toc.yml").read_text())["parts"]
COURSE = next(part["chapters"] for part in PARTS if part["caption"] == "The course")
COURSE = [Path(chapter["file"]).name for chapter in COURSE]
SHOWN = re.compile(r"^```.*?^```$|^\$\$.*?^\$\$$", re.S | re.M)
LINES = re.compile(r"^(?:[|#].*|- .*)$", re.M)


@pytest.mark.parametrize("name", COURSE)
def test_a_deck_has_one_thing_to_show_and_something_to_say_on_each_slide(name):
    text = (ROOT / f"book/slides/{name}.md").read_text()
    _, *slides = re.split(r"^## ", text, flags=re.M)
    titles = [slide.splitlines()[0] for slide in slides]
    assert len(slides) >= 14 and len(set(titles)) == len(titles)
    assert all(len(title.split()) <= 14 for title in titles), titles
    for slide in slides:
        title, body = slide.split("\n", 1)
        said = LINES.sub("", SHOWN.sub("", body))
        blocks = len(SHOWN.findall(body)) + len(re.findall(r"\n\n[|-] ?.+", "\n" + body))
        assert blocks == 1, f"{title}: {blocks} things to look at"
        assert len(said.split()) >= 60, title
    assert 4500 <= len(LINES.sub("", SHOWN.sub("", text)).split()) <= 5500
    pictures = re.findall(r"\{image\} (\S+)", text)
    assert len(pictures) >= 5 and len(set(pictures)) == len(pictures)


def test_the_decks_are_the_chapters():
    assert sorted(path.stem for path in (ROOT / "book/slides").glob("*.md")) == sorted(COURSE)
