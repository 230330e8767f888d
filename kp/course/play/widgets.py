"""The same, in a live notebook: the JavaScript of the book's pages, with the kernel's torch in the place of the
browser's Ψ.

Needs ``pip install 'keypoints-from-video[book]'``.
"""

import re
from pathlib import Path

import anywidget
import numpy as np
import torch
import traitlets

from kp.course.play.specs import Spec
from kp.inference.predictor import Predictor

HERE = Path(__file__).parent

RENDER = """
export default {
  render({ model, el }) {
    el.className = "play";
    const spec = model.get("spec");
    if (model.get("kind") === "training") return training(el, spec);
    if (model.get("kind") === "leakage") return leakage(el, spec);
    const paint = (keypoints, look) => new Promise((resolve) => {
      const answer = (_, buffers) => {
        model.off("msg:custom", answer);
        const { buffer, byteOffset, byteLength } = buffers[0];
        resolve(new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength)));
      };
      model.on("msg:custom", answer);
      model.send({ keypoints: Array.from(keypoints), look });
    });
    repose(el, spec, paint);
  },
};
"""


def script() -> str:
    """repose.js and pictures.js as one module, and what mounts them in a notebook."""
    parts = [(HERE / name).read_text() for name in ("repose.js", "pictures.js")]
    plain = (re.sub(r"^import .*$", "", re.sub(r"^export ", "", part, flags=re.M), flags=re.M) for part in parts)
    return "\n".join(plain) + RENDER


class Pictures(anywidget.AnyWidget):
    """A slider over skeleton images: ``kind`` "training" or "leakage", ``spec`` from
    :func:`kp.course.play.specs.pictures_spec`.
    """

    _esm = script()
    _css = (HERE / "play.css").read_text()
    spec = traitlets.Dict().tag(sync=True)
    kind = traitlets.Unicode().tag(sync=True)


class Repose(Pictures):
    """A pose to drag; ``predictor`` paints ``looks`` in it (both: :func:`kp.course.play.specs.repose_spec`)."""

    def __init__(self, predictor: Predictor, looks: torch.Tensor, spec: Spec):
        super().__init__(spec=spec, kind="repose")
        self.predictor, self.looks = predictor, looks
        self.on_msg(self.answer)

    def answer(self, _, request: dict, __) -> None:
        """Paint what the page asks for, and send its planes back."""
        points = torch.tensor(request["keypoints"]).view(1, -1, 2)
        painted = self.predictor.decode(self.predictor.model.draw(points), self.looks[request["look"]][None])[0]
        self.send({}, [np.ascontiguousarray(painted.numpy(), dtype="<f4").tobytes()])
