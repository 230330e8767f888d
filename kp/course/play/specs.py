"""What the JavaScript shows, as dicts that become JSON: pictures as base64, numbers as they are."""

import base64
import tempfile
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kp.errors import KpError
from kp.figures import edge_colours
from kp.files import atomic_write
from kp.inference.onnx import write_onnx
from kp.inference.predictor import Predictor

Spec = dict[str, object]


def base64_rgb(image: Float[Tensor, "3 s s"]) -> str:
    """An image in [-1, 1] as base64 of its RGB bytes, pixel by pixel."""
    pixels = ((image.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).contiguous()
    return base64.b64encode(pixels.numpy().tobytes()).decode()


def repose_spec(predictor: Predictor, poses: Float[Tensor, "n k 2"], looks: Float[Tensor, "m 3 s s"]) -> Spec:
    """For repose.js: poses in [-1, 1] to start from, people to paint in them, and the first of them in the first pose.

    KpError if the model draws sides in channels of their own or another profile than the exponential one: the page's β
    does not.
    """
    network, skeleton = predictor.model.config.network, predictor.skeleton
    if network.limbs != "one" or network.profile != "exponential":
        raise KpError(
            "this model draws in several channels or with a Gaussian profile; only one channel, exponential, can be "
            "played with"
        )
    with torch.no_grad():
        first = predictor.decode(predictor.model.draw(poses[:1]), looks[:1])[0]
    return {
        "size": predictor.size,
        "sigma": network.sigma,
        "joints": [joint.replace("_", " ") for joint in skeleton.joints],
        "edges": [list(edge) for edge, _ in edge_colours(skeleton)],
        "colours": [colour for _, colour in edge_colours(skeleton)],
        "poses": [[[round(v, 4) for v in point] for point in pose] for pose in poses.tolist()],
        "looks": [base64_rgb(look) for look in looks],
        "first": base64_rgb(first),
    }


def pictures_spec(skeletons: Float[np.ndarray, "g m c s s"], images: Float[Tensor, "m 3 s s"]) -> Spec:
    """For pictures.js: groups of skeleton images (steps, or models) of the same images; of several channels the
    brightest.

    Rounded to 1/65,535 of their range.
    """
    brightest = skeletons.max(2)
    low, high = float(brightest.min()), float(max(brightest.max(), brightest.min() + 1e-6))
    whole = np.round((brightest - low) / (high - low) * 65535).astype("<u2")
    return {
        "size": skeletons.shape[-1],
        "count": len(images),
        "low": low,
        "high": high,
        "pictures": base64.b64encode(whole.tobytes()).decode(),
        "looks": [base64_rgb(image) for image in images],
    }


def write_painter(predictor: Predictor, out: Path) -> float:
    """<out>/painter.onnx: β and Ψ for the page, weights in half precision (half the bytes; computed with in single
    precision).

    Returns its greatest difference from torch on one pose and image. KpError as :func:`kp.inference.onnx.write_onnx`.
    """
    import onnxruntime

    path, size, joints = out / "painter.onnx", predictor.size, len(predictor.skeleton)
    with tempfile.TemporaryDirectory() as folder:
        write_onnx(predictor, Path(folder))
        halve(Path(folder) / path.name, path)
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(1, joints, 2, generator=generator) * 1.6 - 0.8
    image = torch.rand(1, 3, size, size, generator=generator) * 2 - 1
    (painted,) = onnxruntime.InferenceSession(path).run(None, {"keypoints": points.numpy(), "images": image.numpy()})
    with torch.no_grad():
        right = predictor.decode(predictor.model.draw(points), image)
    return (torch.from_numpy(painted) - right).abs().max().item()


def halve(source: Path, out: Path) -> None:
    """Write an ONNX file anew with its larger weights as float16, each followed by a cast to float32."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(source)
    graph, casts = model.graph, []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < 1000:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    with atomic_write(out) as part:
        part.write_bytes(model.SerializeToString())
