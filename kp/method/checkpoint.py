"""Networks as files. Weights: safetensors, numbers and nothing else. Checkpoints of a training: all of its state.

Both are loaded without executing anything, and looked through before they are believed.
"""

import errno
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from kp.config import from_json, to_json
from kp.errors import KpError
from kp.files import atomic_write
from kp.method.model import Model

PARTS = ("encoder", "regressor", "decoder")


def save_weights(model: Model, first_regressor: nn.Module, path: Path, half: bool = False, **notes: str) -> None:
    """Write Φ, η, Ψ and the pre-trained η₀, with their configuration and a checksum, to a .safetensors file.

    What training alone needs (D, optimisers) is left out: such a file predicts, but training cannot go on from it.
    half: matrices and kernels in float16, for half the size; vectors stay float32. notes: further texts for the file's
    metadata. KpError if the file cannot be written.
    """

    def stored(tensor):
        shorten = half and tensor.is_floating_point() and tensor.ndim > 1
        return tensor.detach().cpu().to(torch.float16 if shorten else tensor.dtype).contiguous()

    parts = {part: getattr(model, part) for part in PARTS} | {"first_regressor": first_regressor}
    tensors = {
        f"{part}.{name}": stored(tensor) for part, net in parts.items() for name, tensor in net.state_dict().items()
    }
    check_weights(tensors, path)
    config = to_json(model.config)
    with atomic_write(path) as part:
        part.write_bytes(save(tensors, {"config": config, "sha256": digest(config, tensors), **notes}))


def digest(config: str, tensors: dict[str, Tensor]) -> str:
    """SHA-256 of a configuration and of named tensors, in the order of their names."""
    total = hashlib.sha256(config.encode())
    for name in sorted(tensors):
        total.update(name.encode() + tensors[name].numpy().tobytes())
    return total.hexdigest()


def load_weights(path: Path) -> tuple[Model, nn.Module, dict[str, str]]:
    """(model, η₀, metadata) from a .safetensors file of kp's, on the CPU, in eval mode, without gradients.

    KpError names the file if it is missing or damaged, or is not kp's.
    """
    if not path.is_file():
        raise KpError(f"{path}: no such file; check the path")
    try:
        with safe_open(path, "pt") as file:
            notes = file.metadata() or {}
            names = list(file.keys())
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise KpError(f"{path}: not a readable safetensors file ({error}); copy it again") from error
    config = notes.get("config")
    if config is None:
        raise KpError(f"{path}: holds no configuration of kp; write it with kp.method.checkpoint.save_weights")
    if any(tensor.dtype not in (torch.float32, torch.float16, torch.int64) for tensor in tensors.values()):
        raise KpError(f"{path}: its weights are not in float32 or float16, as kp writes them; it is no file of kp's")
    if notes.get("sha256") != digest(config, tensors):
        found = "differs from its own checksum" if "sha256" in notes else "has no checksum, as kp writes it"
        raise KpError(f"{path}: {found}; copy it again")
    check_weights(tensors, path)
    tensors = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    settings = from_json(config, str(path))
    misfit = f"{path}: its weights do not fit its configuration; the file is damaged or of another version of kp"
    try:
        with torch.device("meta"):  # sizes only: before a wrong one takes memory
            sizes = {name: weight.shape for name, weight in Model(settings).state_dict().items()}
    except KpError as error:
        raise KpError(f"{path}: {error}") from error
    if any(name in sizes and tensor.shape != sizes[name] for name, tensor in tensors.items()):
        raise KpError(misfit)
    model = Model(settings)
    first = nn.ModuleDict({"first_regressor": Model(settings).regressor})

    def parts_of(names):
        return {key: tensor for key, tensor in tensors.items() if key.split(".")[0] in names}

    try:
        missing, unexpected = model.load_state_dict(parts_of(PARTS), strict=False)
        first.load_state_dict(parts_of(("first_regressor",)))
    except RuntimeError as error:
        raise KpError(misfit) from error
    if unexpected or any(not key.startswith("discriminator.") for key in missing):
        raise KpError(misfit)
    return model.eval().requires_grad_(False), first["first_regressor"].eval().requires_grad_(False), notes


def check_weights(tensors: Mapping[str, Tensor], path: Path) -> None:
    """KpError, about ``path``, if a weight is no number: such networks find nothing."""
    broken = next((name for name, tensor in tensors.items() if not tensor.isfinite().all()), None)
    if broken:
        raise KpError(f"{path}: the weights '{broken}' are no numbers any more; take an earlier copy, or train again")


def save_checkpoint(saved: dict, path: Path) -> None:
    """Write a state dict, whole or not at all. KpError if the disk is full or the folder cannot be written; then the
    old file stays.
    """
    with atomic_write(path) as part:
        try:
            with open(part, "wb") as file:
                torch.save(saved, file)
        except RuntimeError as error:  # how torch reports a failed write
            raise OSError(errno.ENOSPC, "the disk seems full") from error


def read_checkpoint(path: Path) -> dict:
    """A saved state dict, on the CPU. KpError if the file is missing or damaged."""
    if not path.is_file():
        raise KpError(f"{path}: no such checkpoint; train first with 'kp train', or check the path")
    try:
        with zipfile.ZipFile(path) as parts:  # torch does not look at the checksums
            if damaged := parts.testzip():
                raise zipfile.BadZipFile(f"checksum of {damaged}")
        saved = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises many kinds for damaged files
        raise KpError(
            f"{path}: not a readable checkpoint ({type(error).__name__}); train again or restore a copy"
        ) from error
    if not isinstance(saved, dict) or "config" not in saved:
        raise KpError(f"{path}: not a checkpoint of kp; give a run folder, or its checkpoint.pt")
    return saved
