import re
from dataclasses import replace

import pytest
import torch

from kp.datasets.clips import Clips, to_images
from kp.errors import KpError
from kp.inference.predictor import Predictor
from kp.training.distil import exchange_channels, painting_loss, pseudo_labels, train_painter


@pytest.fixture(scope="module")
def teacher(finished):
    return finished[1].predictor()


def test_channels_of_both_frames_change_places_alike():
    pair = tuple(torch.rand(64, 3, 4, 4) for _ in range(2))
    made = exchange_channels(pair, torch.Generator().manual_seed(0))
    orders = set()
    for i in range(64):
        order = [next(c for c in range(3) if torch.equal(made[0][i, k], pair[0][i, c])) for k in range(3)]
        assert sorted(order) == [0, 1, 2] and torch.equal(made[1][i], pair[1][i, order])
        orders.add(tuple(order))
    assert len(orders) == 6


def test_the_loss_is_the_mean_over_levels():
    one, two = torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 8, 8)
    two[..., ::2] = 1.0  # stripes that shrinking averages out: |1|·½ at full size, then ½ at every pixel
    assert painting_loss(one, two).item() == pytest.approx(0.5)
    two[..., 1::2] = -1.0  # … to nothing below full size
    assert painting_loss(one, two).item() == pytest.approx(1 / 4)


def test_only_the_decoder_learns_and_it_paints_better(teacher, config, clips):
    lessons = pseudo_labels(teacher, clips)
    before = {k: v.clone() for k, v in teacher.model.state_dict().items()}
    painter = train_painter(teacher, replace(config.optimizer, steps=80, batch=8, lr=3e-3), clips, lessons, seed=0)
    after = painter.model.state_dict()
    assert all(torch.equal(v, before[k]) for k, v in teacher.model.state_dict().items())
    assert all(torch.equal(v, after[k]) == (not k.startswith("decoder.")) for k, v in before.items() if "weight" in k)
    x, other = to_images(clips.frames[0][:4]), to_images(clips.frames[0][4:8])

    def error(p):
        return painting_loss(p.decode(p(x).redrawn, other), x).item()

    assert error(painter) < 0.8 * error(teacher)


def test_it_repeats(teacher, config, clips):
    lessons, rates = pseudo_labels(teacher, clips), replace(config.optimizer, steps=2)
    one, two = (train_painter(teacher, rates, clips, lessons, seed=1).model.state_dict() for _ in range(2))
    assert all(torch.equal(v, two[k]) for k, v in one.items())


def test_lessons_of_other_clips(teacher, config, clips):
    other = Clips(clips.names[:2], clips.sources[:2], clips.frames[:2])
    with pytest.raises(
        KpError,
        match=re.escape(
            "2 clips and 3 lists of pseudo-labels do not fit frame by frame; label the same clips of the same set"
        ),
    ):
        train_painter(teacher, config.optimizer, other, pseudo_labels(teacher, clips), 0)


def test_a_decoder_that_reads_something_else(teacher, config, clips):
    model = type(teacher.model)(replace(config, method=replace(config.method, second_frame=False)))
    with pytest.raises(
        KpError, match="does not read redrawn keypoints and a second frame; take a model trained with the full method"
    ):
        train_painter(
            Predictor(model, teacher.first_regressor), config.optimizer, clips, pseudo_labels(teacher, clips), 0
        )
