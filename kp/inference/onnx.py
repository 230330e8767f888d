"""A trained model as ONNX files that run without torch: the predictor, and the painter β + Ψ.

Both take any number of images at once. What they compute is checked against torch before anything is written.
"""

import logging
import warnings
from copy import deepcopy
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kp.errors import KpError, library
from kp.files import atomic_write
from kp.inference.predictor import Predictor
from kp.method.model import Model

CLOSE = 1e-4  # greatest difference from torch that is let pass


class Reader(nn.Module):
    """η(Φ(x)): images (n, 3, s, s) in [-1, 1] → keypoints (n, k, 2), (x, y) in [-1, 1]."""

    def __init__(self, model: Model):
        super().__init__()
        self.encoder, self.regressor = model.encoder, model.regressor

    def forward(self, images: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n k 2"]:
        return self.regressor(self.encoder(images))


class Painter(nn.Module):
    """Ψ(β(p), x'): keypoints (n, k, 2) and images (n, 3, s, s), both in [-1, 1] → images (n, 3, s, s)."""

    def __init__(self, model: Model):
        super().__init__()
        self.draw, self.decoder = model.draw, model.decoder

    def forward(self, keypoints: Float[Tensor, "n k 2"], images: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 s s"]:
        return self.decoder(self.draw(keypoints), images)


def write_onnx(predictor: Predictor, out: Path) -> dict[Path, float]:
    """Write <out>/predictor.onnx (images → keypoints) and <out>/painter.onnx (keypoints, images → painted).

    Left and right are as the network names them: nothing resolves flips. Returns each file with its greatest difference
    from torch on random input of another batch size. KpError if that is more than 1e-4, if Ψ does not read keypoints
    and a second frame, if a library is missing, or if a file cannot be written.
    """
    model, size, joints = deepcopy(predictor.model).eval().cpu(), predictor.size, len(predictor.skeleton)
    method = model.config.method
    if method.decoder_reads != "keypoints" or not method.second_frame:
        raise KpError(
            "this model's Ψ does not read keypoints and a second frame; only the method itself can be exported"
        )
    for name in ("onnxscript", "onnxruntime"):
        library(name, "onnx", out)
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(3, 3, size, size, generator=generator) * 2 - 1
    keypoints = torch.rand(3, joints, 2, generator=generator) * 1.6 - 0.8
    return {
        out / "predictor.onnx": _write(Reader(model), {"images": images}, "keypoints", out / "predictor.onnx"),
        out / "painter.onnx": _write(
            Painter(model), {"keypoints": keypoints, "images": images}, "painted", out / "painter.onnx"
        ),
    }


def _write(net: nn.Module, inputs: dict[str, Tensor], output: str, path: Path) -> float:
    """Export with two examples, compare on three, then write."""
    import onnxruntime

    batch = torch.export.Dim("n")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision, which nothing here needs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the exporter about itself
        program = torch.onnx.export(
            net.eval(),
            tuple(x[:2] for x in inputs.values()),
            dynamo=True,
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes=tuple({0: batch} for _ in inputs),
            verbose=False,
        )
    code = program.model_proto.SerializeToString()
    (output,) = onnxruntime.InferenceSession(code).run(None, {name: x.numpy() for name, x in inputs.items()})
    with torch.no_grad():
        difference = (torch.from_numpy(output) - net(*inputs.values())).abs().max().item()
    if not difference <= CLOSE:
        raise KpError(f"{path}: the exported network differs from torch by {difference:.1e}; not written")
    with atomic_write(path) as part:
        part.write_bytes(code)
    return difference
