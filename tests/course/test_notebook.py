import os

from kp.course.notebook import go_to_top


def test_goes_to_the_folder_that_holds_the_book(tmp_path, monkeypatch):
    (tmp_path / "book/exercises").mkdir(parents=True)
    (tmp_path / "book/train.ipynb").touch()
    for opened_in in ("book/exercises", "book", "."):
        monkeypatch.chdir(tmp_path / opened_in)
        assert go_to_top() == tmp_path and os.getcwd() == str(tmp_path)


def test_stays_outside_the_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert go_to_top() == tmp_path and os.getcwd() == str(tmp_path)
