"""Three numbers of the book, computed again from the weights that come with the code."""

import json
from pathlib import Path

import pytest

from kp.datasets.sets import open_prior
from kp.evaluation.evaluate import load_test, measure
from kp.files import verify_checksums
from kp.inference.published import load

RUNS = Path("data/runs")
OTHERS = ("skeleton_alone", "skeleton_and_frame")


@pytest.mark.parametrize("setting", ["full", *(pytest.param(s, marks=pytest.mark.slow) for s in OTHERS)])
def test_a_number_of_the_grid_comes_out_again(setting):
    predictor = load(RUNS / f"steps12000/weights/{setting}.safetensors")
    config = predictor.model.config
    scores, _ = measure(predictor, load_test(config.data, progress=False), open_prior(config.data, config.seed))
    recorded = json.loads((RUNS / f"steps12000/{setting}_seed0.json").read_text())
    assert recorded["config"]["seed"] == config.seed and recorded["config"]["optimizer"]["steps"] == 12000
    assert scores.raw == pytest.approx(recorded["raw"], abs=0.02)  # half precision, another processor


def test_shipped_weights_are_whole_and_small():
    folder = RUNS / "steps12000/weights"
    assert verify_checksums(folder) == len(list(folder.glob("*.safetensors"))) >= 5
    assert max(path.stat().st_size for path in folder.glob("*.safetensors")) < 6e6


@pytest.mark.parametrize("setting", ["full", "skeleton_alone"])
def test_the_models_of_128_pixels_load_by_name(setting):
    assert load(RUNS / f"paper128/{setting}.safetensors").size == 128
