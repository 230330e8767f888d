"""Trained models as files that hold numbers and nothing else: safetensors, loaded without executing anything.

``kp.load("people")`` gives the model that ships with kp; a model card lies beside each file in ``kp/models``.
"""

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from kp.config import from_json, to_json
from kp.errors import KpError
from kp.model import Model
from kp.predict import Predictor
from kp.whole import whole

MODELS = Path(__file__).parent / "models"
PARTS = ("encoder", "regressor", "decoder")


def save_weights(predictor: Predictor, path: Path) -> None:
    """Write Φ, η, Ψ and the pre-trained η₀ of a predictor, with its configuration, to a .safetensors file.

    What training alone needs (D, optimisers) is left out: such a file predicts, but training cannot go on from it.
    KpError if the file cannot be written.
    """
    model = predictor.model
    parts = {part: getattr(model, part) for part in PARTS} | {"first_regressor": predictor.first_regressor}
    tensors = {f"{part}.{k}": v.detach().cpu().contiguous() for part, net in parts.items() for k, v in net.state_dict().items()}
    config = to_json(model.config)
    with whole(path) as part:
        part.write_bytes(save(tensors, {"config": config, "sha256": digest(config, tensors)}))


def digest(config: str, tensors: dict[str, Tensor]) -> str:
    """SHA-256 of a configuration and of named tensors, in the order of their names."""
    total = hashlib.sha256(config.encode())
    for name in sorted(tensors):
        total.update(name.encode() + tensors[name].numpy().tobytes())
    return total.hexdigest()


def load(name: str | Path) -> Predictor:
    """The published model called ``name``, or the one in a .safetensors file or run folder, ready to predict on the CPU.

    ``kp.load("people")`` finds the 17 joints of ``kp.skeleton.BODY`` in people, ``kp.load("faces")`` the 68 landmarks of
    ``kp.skeleton.FACE`` in faces, both on black or before a background. KpError lists the
    published models if there is none of that name, and names the file if it is missing or damaged.
    """
    path = Path(name)
    if (path / "model.safetensors").is_file():  # what kp fit leaves
        path = path / "model.safetensors"
    if path.is_dir() or path.suffix == ".pt":
        return Predictor.load(path)
    if path.suffix != ".safetensors":
        path = MODELS / f"{name}.safetensors"
        if not path.is_file():
            known = ", ".join(sorted(p.stem for p in MODELS.glob("*.safetensors"))) or "none"
            raise KpError(f"{name}: no run folder, no .safetensors file and no published model (there are: {known}); check it")
    if not path.is_file():
        raise KpError(f"{path}: no such file; check the path")
    try:
        with safe_open(path, "pt") as file:
            told = file.metadata() or {}
            config = told.get("config")
            tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise KpError(f"{path}: not a readable safetensors file ({error}); copy it again") from error
    if config is None:
        raise KpError(f"{path}: holds no configuration of kp; write it with kp.weights.save_weights")
    if "sha256" in told and told["sha256"] != digest(config, tensors):
        raise KpError(f"{path}: differs from its own checksum; copy it again")
    model = Model(from_json(config))
    first = torch.nn.ModuleDict({"first_regressor": Model(from_json(config)).regressor})
    own = lambda parts: {k: v for k, v in tensors.items() if k.split(".")[0] in parts}
    try:
        missing, unexpected = model.load_state_dict(own(PARTS), strict=False)
        first.load_state_dict(own(("first_regressor",)))
    except RuntimeError as error:
        raise KpError(f"{path}: its weights do not fit its configuration; the file is damaged or of another version of kp") from error
    if unexpected or any(not k.startswith("discriminator.") for k in missing):
        raise KpError(f"{path}: its weights do not fit its configuration; the file is damaged or of another version of kp")
    return Predictor(model.eval().requires_grad_(False), first["first_regressor"].eval().requires_grad_(False))
