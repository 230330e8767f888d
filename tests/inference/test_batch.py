"""Where results of many films go, and what is told about them."""

import re
from pathlib import Path

import numpy as np
import pytest

from kp.cli.options import Where
from kp.cli.use import predict
from kp.errors import KpError
from kp.formats.track import Track
from kp.inference.batch import name_results, summary, verdict
from kp.skeletons import BODY

CASES = Path(__file__).parents[1] / "cases"


def films(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return [root / name for name in names]


def test_names(tmp_path):
    a, b, c = films(tmp_path, "cam1/trial.mp4", "cam2/trial.mp4", "other.mp4")
    assert name_results([a, c]) == {a: Path("trial"), c: Path("other")}
    assert name_results([a, b, c]) == {a: Path("cam1/trial"), b: Path("cam2/trial"), c: Path("other")}
    assert name_results([tmp_path]) == {a: Path("cam1/trial"), b: Path("cam2/trial"), c: Path("other")}
    same = films(tmp_path, "x/t.mp4", "x/t.avi")
    assert sorted(map(str, name_results(same).values())) == ["t_avi", "t_mp4"]
    with pytest.raises(KpError, match="nothing to predict; name at least one image or video"):
        name_results([])


def test_no_two_films_share_a_name(tmp_path, monkeypatch):
    """Names that the remedy for others would take; capitals; paths with two dots; a film that is named twice."""
    found = name_results(films(tmp_path, "x/t.mp4", "x/t.avi", "x/t_mp4.mov"))
    assert sorted(map(str, found.values())) == ["t_avi", "t_mp4", "t_mp4_mov"]
    (x, y), (q,) = films(tmp_path, "x/a.mp4", "y/a.mp4"), films(tmp_path, "q/x/a.mp4")
    names = name_results([x, y, tmp_path / "q"])
    assert len(set(names.values())) == 3 and names[q] == Path("q/x/a")
    assert len(set(name_results(films(tmp_path, "c/A.mp4", "d/a.mp4")).values())) == 2
    monkeypatch.chdir(tmp_path / "x")
    names = name_results([Path("../x/a.mp4"), Path("../y/a.mp4")])
    assert sorted(map(str, names.values())) == ["x/a", "y/a"]
    for twice in ([x, x], [x, tmp_path / "x"]):
        with pytest.raises(KpError, match=re.escape(f"{x}: is named twice; name it once")):
            name_results(twice)
    with pytest.raises(KpError, match="is named twice; name it once"):
        name_results([x, Path("../x/a.mp4")])


def test_no_result_takes_the_place_of_another(tmp_path):
    a, b = films(tmp_path, "t.mp4", "tDLC_kp.mp4")
    with pytest.raises(KpError, match="two results would be there; rename an input"):
        predict("people", (a, b), formats=("csv", "dlc"), out=tmp_path / "out")


def test_two_cameras_with_one_name(tmp_path):
    """As folders and as files."""
    one, two = sorted((CASES / "same_name").rglob("*.mp4"))
    for inputs in ([one, two], [one.parent, two.parent], [CASES / "same_name"]):
        assert name_results(inputs) == {one: Path("cam1/trial"), two: Path("cam2/trial")}


def test_days_and_cameras_with_the_same_names(tmp_path):
    paths = films(tmp_path, *(f"day{d}/cam{c}/t.mp4" for d in (1, 2) for c in (1, 2)))
    names = name_results([path.parent for path in paths])
    assert len(set(names.values())) == 4 and names[paths[2]] == Path("day2/cam1/t")


def track(confidence=0.9, seen=None, second=0.0, frames=100):
    points = np.zeros((frames, 17, 2))
    return Track(Path("a.mp4"), (64, 64), 25.0, BODY, points, np.full((frames, 17), confidence), [], None, seen, second)


def test_verdicts():
    assert verdict(track()) == verdict(track(seen=np.ones(100, bool))) == "looks usable"
    half = np.arange(100) < 50
    assert verdict(track(seen=half)) == (
        "look at the film: the subject was found in 50% of the frames only; it was gone for 2.0 s"
    ).replace("; it was gone for 2.0 s", "")
    assert verdict(track(seen=np.arange(200) < 100, frames=200)).endswith("only; it was gone for 4.0 s")
    assert verdict(track(second=0.4)) == "look at the film: there is a second subject in 40% of the frames"
    assert verdict(track(0.5)).startswith("look at the film: many joints are doubtful")
    assert verdict(track(0.1)) == "not usable: most joints are guesses"
    broken = track()
    broken.keypoints[0, 0] = np.nan
    assert verdict(broken) == "not usable: some keypoints are no numbers"


def test_a_line_a_film():
    lines = summary({Path("a.mp4"): track(), Path("long name.mp4"): track(seen=np.arange(100) < 90)})
    assert lines[0].split() == ["film", "frames", "seen", "in", "longest", "gap", "confidence"]
    assert re.fullmatch(r"a.mp4 +100 +– +– +0.90 +looks usable", lines[1])
    assert re.fullmatch(r"long name.mp4 +100 +90% +10 frames +0.90 +looks usable", lines[2])


def test_a_bad_film_does_not_stop_the_others(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        predict("people", (CASES / "batch_stops",), out=tmp_path / "out")
    assert str(stop.value).startswith(f"kp: 1 of 3 files failed:\n  {CASES / 'batch_stops/b_cut.mp4'}: ")
    assert sorted(p.name for p in (tmp_path / "out").glob("*.csv")) == ["a.csv", "c.csv"]
    assert "wrote the keypoints of 2 files" in capsys.readouterr().out


def test_boxes_and_masks_are_not_written_over(tmp_path):
    (film,) = films(tmp_path, "walk.mov")
    boxes, masks = films(tmp_path, "walk.csv", "walk.mp4")
    for given in ({"subject": Where(boxes=(boxes,))}, {"masks": (masks,)}):
        with pytest.raises(KpError, match="a result would take the place of an input; choose another folder"):
            predict("people", (film,), out=tmp_path, **given)
    with pytest.raises(KpError, match="give --save-boxes a folder of its own"):
        predict("people", (film,), subject=Where(save_boxes=tmp_path / "out"), out=tmp_path / "out")
