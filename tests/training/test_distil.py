import re
from dataclasses import replace

import pytest
import torch

import kp.training.distil
from kp.datasets.clips import Clips, to_images
from kp.errors import KpError
from kp.geometry import Similarity, joint_errors
from kp.training.distil import pseudo_labels, train_student


@pytest.fixture(scope="module")
def teacher(finished):
    return finished[1].predictor()


def test_a_lesson_for_every_frame(teacher, clips):
    lessons = pseudo_labels(teacher, clips)
    assert [len(p) for p in lessons] == [len(f) for f in clips.frames]
    torch.testing.assert_close(lessons[1], teacher.mirrored_mean(to_images(clips.frames[1])))


def test_the_student_learns_its_lessons_and_changes_nobody(teacher, config, clips):
    # far from what the teacher itself would say
    lessons = [p + torch.tensor([0.0, 0.4]) for p in pseudo_labels(teacher, clips)]
    before = {k: v.clone() for k, v in teacher.model.state_dict().items()}
    rates = replace(config.optimizer, steps=60, batch=8, lr=3e-3)
    student = train_student(teacher, replace(config, optimizer=rates), clips, lessons)

    def error(p):
        return joint_errors(p(to_images(clips.frames[0])).keypoints, lessons[0]).mean().item()

    assert error(teacher) > 15 and error(student) < 8
    assert all(torch.equal(v, before[k]) for k, v in teacher.model.state_dict().items())
    y = student(to_images(clips.frames[0]))
    assert torch.equal(y.reference, teacher.first_regressor.eval()(y.redrawn))


def test_images_and_lessons_move_together(teacher, config, clips, monkeypatch):
    aside = Similarity(torch.eye(2).expand(8, 2, 2), torch.tensor([0.3, 0.0]).expand(8, 2))
    monkeypatch.setattr(kp.training.distil, "draw_similarity", lambda count, generator: aside)
    lessons = pseudo_labels(teacher, clips)
    learn = replace(
        config, data=replace(config.data, move=True), optimizer=replace(config.optimizer, steps=60, batch=8, lr=3e-3)
    )
    student = train_student(teacher, learn, clips, lessons)
    frames = to_images(clips.frames[0])
    moved = Similarity(torch.eye(2).expand(len(frames), 2, 2), torch.tensor([0.3, 0.0]).expand(len(frames), 2))

    def error(p):
        return joint_errors(p(moved.images(frames)).keypoints, moved.points(lessons[0])).mean().item()

    assert error(student) < 8 < 12 < error(teacher)


def test_it_repeats(teacher, config, clips):
    lessons = pseudo_labels(teacher, clips)
    setting = replace(config, data=replace(config.data, augment=True), optimizer=replace(config.optimizer, steps=2))
    one, two = (train_student(teacher, setting, clips, lessons).model.state_dict() for _ in range(2))
    assert all(torch.equal(v, two[k]) for k, v in one.items())


def test_lessons_of_other_clips(teacher, config, clips):
    other = Clips(clips.names[:2], clips.sources[:2], clips.frames[:2])
    with pytest.raises(
        KpError,
        match=re.escape(
            "2 clips and 3 lists of pseudo-labels do not fit frame by frame; label the same clips of the same set"
        ),
    ):
        train_student(teacher, config, other, pseudo_labels(teacher, clips))
