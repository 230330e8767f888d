"""Each film is searched once, until it is written again."""

import os

import numpy as np
import pytest

from kp.errors import KpError
from kp.inference.crops import BoxTrack
from kp.inference.once import MOST, once_a_film


@pytest.fixture
def search():
    """A search that counts its calls, and the films that it was called for."""
    called = []

    def find(path, progress=True):
        called.append(path.name)
        return BoxTrack(np.full((1, 4), len(called), float), np.ones(1, bool), 0.0)

    return once_a_film(find), called


def test_a_film_is_searched_once(search, tmp_path):
    find, called = search
    film = tmp_path / "a.mp4"
    film.write_bytes(b"film")
    assert find(film) is find(film, False) is find(tmp_path / "." / "a.mp4")
    assert called == ["a.mp4"]


def test_a_film_that_was_written_again_is_searched_again(search, tmp_path):
    find, called = search
    film = tmp_path / "a.mp4"
    film.write_bytes(b"film")
    first = find(film)
    film.write_bytes(b"another film")
    assert find(film) is not first and len(called) == 2
    os.utime(film, (1, 1))
    find(film)
    assert len(called) == 3


def test_a_folder_of_pictures_is_searched_each_time(search, tmp_path):
    find, called = search
    find(tmp_path), find(tmp_path)
    assert len(called) == 2


def test_no_more_films_are_kept_than_said(search, tmp_path):
    find, called = search
    films = [tmp_path / f"{number}.mp4" for number in range(MOST + 1)]
    for film in films:
        film.write_bytes(b"film")
        find(film)
    find(films[-1]), find(films[1])
    assert len(called) == MOST + 1
    find(films[0])
    assert len(called) == MOST + 2


def test_what_fails_fails_again(tmp_path):
    def find(path, progress=True):
        raise KpError(f"{path}: no film")

    with pytest.raises(KpError, match="no film"):
        once_a_film(find)(tmp_path / "nothing.mp4")
