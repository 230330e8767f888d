import pytest

from kp.own_video.stages import Stages, in_words


def test_the_plan_and_what_is_left(capsys):
    stages = Stages.of(1000, 64, "motion", 600, 2000, 1000, 1000)
    assert [name for name, _ in stages.plan] == [
        "square clips around the subject",
        "masks by motion",
        "the method",
        "its student, which needs no masks",
    ]
    assert [seconds for _, seconds in stages.plan] == pytest.approx([30, 480, 600, 350])
    with stages.stage(0):
        pass
    assert capsys.readouterr().out == "stage 1 of 4: square clips around the subject; about 24 minutes left in all\n"
    ((took, guessed),) = stages.done
    assert took < 5 and guessed == pytest.approx(30)
    stages.done[:] = [(60.0, 30.0)]  # this machine takes twice as long as the first guesses said
    with stages.stage(3):
        pass
    assert capsys.readouterr().out.endswith(
        "stage 4 of 4: its student, which needs no masks; about 12 minutes left in all\n"
    )
    assert len(Stages.of(10, 128, "none", 600, 0, 100, 100).plan) == 2
    assert Stages.of(10, 128, "person", 600, 0, 100, 100).plan[1] == ("masks by person", pytest.approx(1))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3.0, "about 10 seconds"), (44.0, "about 40 seconds"), (720.0, "about 12 minutes"), (12600.0, "about 3.5 hours")],
)
def test_durations(seconds, words):
    assert in_words(seconds) == words
