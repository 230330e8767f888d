import re
from html.parser import HTMLParser

import torch

from kp.inference.predictor import Prediction
from kp.skeletons import BODY
from kp.training.report import COLOURS, WORDS, draw_lines, draw_probe, write_report


class Reader(HTMLParser):
    """Every tag that is opened is closed; texts, and addresses of everything that would be fetched."""

    EMPTY = ("meta", "img", "br")

    def __init__(self):
        super().__init__()
        self.open, self.text, self.addresses = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag not in self.EMPTY:
            self.open.append(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def lines():
    return draw_lines({"one": {"a": [(1, 0.5)], "b": [(1, 0.5), (2, 0.7)]}})


def test_one_file_that_needs_nothing_else(config, tmp_path):
    write_report(
        tmp_path / "my <run>/report.html", config, "training", (3, 6), ("wrong", "a < b", "less & more"),
        [("spread", "0.10", "over 0.25", "how much")], [("Lines", lines(), 'words with "quotes"')], running=True,
    )  # fmt: skip
    page, reader = (tmp_path / "my <run>/report.html").read_text(), Reader()
    reader.feed(page)
    assert not reader.open and all(address.startswith("data:image/png;base64,") for address in reader.addresses)
    text = " ".join(reader.text)
    for told in (
        "my <run>",
        "a < b",
        "less & more",
        WORDS["wrong"],
        'words with "quotes"',
        "over 0.25",
        '"pretrain_steps": 4',
        "processor",
    ):
        assert told in text
    assert 'max="6" value="3"' in page and COLOURS["wrong"] in page and not re.search(r"https?://", page)


def test_all_levels_have_words_and_colours():
    assert WORDS.keys() == COLOURS.keys() == {"early", "well", "doubtful", "wrong"}


def test_pictures_of_a_probe(config, model):
    frames = torch.rand(9, 3, 32, 32) * 2 - 1
    points = torch.rand(9, 17, 2) * 2 - 1
    drawn = model.draw(points)
    figure = draw_probe(frames, Prediction(points, drawn, drawn, points), frames, drawn, BODY)
    axes = figure.get_axes()
    assert len(axes) == 5 * 8 and [a.get_ylabel() for a in axes[::8]] == ["pose p", "Φ: y", "β: y*", "Ψ: x̂", "prior"]
    assert len(axes[0].lines) == len(BODY.edges)


def test_lines_have_names_only_where_there_are_several():
    figure = lines()
    (axis,) = figure.get_axes()
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["a", "b"] and axis.get_title() == "one"
    assert draw_lines({"x": {"x": [(1, 2.0)]}}).get_axes()[0].get_legend() is None
