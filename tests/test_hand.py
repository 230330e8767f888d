import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from kp.config import smoke
from kp.inference.published import load
from kp.training.loop import train

DATA = Path(__file__).parents[1] / "data"


def test_hands_are_made_and_trained_on(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["make_hand.py", str(tmp_path / "hand")])
    runpy.run_path(str(DATA / "make/make_hand.py"), run_name="__main__")
    base = smoke(tmp_path / "hand")
    data = replace(base.data, prior="drawn", skeleton=str(DATA / "hand/hand.json"), background=True)
    state = train(replace(base, data=data), tmp_path / "run")
    predictor = state.predictor()
    frames = np.zeros((2, 50, 50, 3), np.uint8)
    assert state.step == 12 and predictor.pixels(frames).shape == (2, 21, 2)
    predictor.save(tmp_path / "hand.safetensors")
    assert torch.equal(load(tmp_path / "hand.safetensors").pixels(frames), predictor.pixels(frames))
