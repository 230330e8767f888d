import matplotlib.pyplot as plt
import numpy as np
import pytest

from kp.course.diagram import PLACES, method_picture


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def cells():
    return {name: np.full((8, 8), i / 10) for i, name in enumerate(PLACES)}


def test_every_picture_and_every_part_has_its_place():
    axis = method_picture(cells()).axes[0]
    shown = [inset.images[0].get_array()[0, 0] for inset in axis.child_axes]
    assert shown == pytest.approx([i / 10 for i in range(len(PLACES))])
    texts = [text.get_text() for text in axis.texts]
    assert {"Φ", "η", "β", "Ψ", "D"} <= set(texts)
    assert {label for _, _, label in PLACES.values()} <= set(texts)
    assert [n for n in "123" if any(text.startswith(f"{n}  ") for text in texts)] == ["1", "2", "3"]


def test_nothing_is_written_outside_the_picture():
    figure = method_picture(cells())
    renderer = figure.canvas.get_renderer()
    width, height = figure.canvas.get_width_height()
    for text in figure.axes[0].texts:
        box = text.get_window_extent(renderer)
        if text.get_text():
            assert 0 <= box.x0 < box.x1 <= width and 0 <= box.y0 < box.y1 <= height, text.get_text()


def test_a_picture_is_missing():
    some = cells()
    del some["prior"]
    with pytest.raises(KeyError, match="prior"):
        method_picture(some)
