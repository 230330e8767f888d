"""What fresh networks predict from drawings of trained models: ``python -m kp.research.scripts.leakage``.

Reads the weights that are shipped in data/runs/steps12000/weights, or, with ``--weights``, those that a study left.
Writes one record for each seed, and the pictures of the first. For faces, first:
``kp study rendered_prior rendered_and_frame rendered_alone --preset faces --steps 600 --seeds 0 1``, then ``--preset
faces --steps 600 --seeds 0 1 --weights runs/study/faces/<arithmetic>/weights``.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
import tyro
from tqdm import tqdm

from kp.config import Config, find_preset
from kp.datasets.clips import load_clips, to_images
from kp.errors import KpError
from kp.evaluation.evaluate import load_test
from kp.evaluation.truth import load_truth
from kp.figures import write_figure
from kp.inference.predictor import Predictor
from kp.inference.published import load
from kp.method.leakage import log_pictures, rebuilt_pictures, rms_amplitude
from kp.method.model import Model
from kp.method.networks import evaluating
from kp.provenance import command_line, write_record
from kp.research.ablations import find_ablation
from kp.research.probes import (
    capacity_bits,
    colour_r2,
    jitter,
    leak,
    painted_r2,
    person_mask,
    plant,
    rebuild,
    transplant,
)
from kp.skeletons import find_skeleton

PLANTED = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)  # amplitudes, shares of full brightness
FULL, AND_FRAME, ALONE = "full", "skeleton_and_frame", "skeleton_alone"
VARIANTS = {
    "laptop": {FULL: FULL, AND_FRAME: AND_FRAME, ALONE: ALONE},
    "faces": {FULL: "rendered_prior", AND_FRAME: "rendered_and_frame", ALONE: "rendered_alone"},
}
"""Preset → (variant → the setting of the study that it is)."""


class Material:
    """Images and truth for the probes: two frames of every training and of every test clip."""

    def __init__(self, config: Config):
        data, skeleton = config.data, find_skeleton(config.data.skeleton)
        clips = load_clips(data.videos, "train", data.size)
        truth = load_truth(data.videos, "train", skeleton, data.size).of(clips.names)
        per_clip = len(clips.frames[0][::16])
        self.images = torch.stack([to_images(f[::16]) for f in clips.frames]).flatten(0, 1)
        self.keypoints = truth.keypoints[:, ::16].flatten(0, 1)
        self.names = truth.appearance_names
        self.colours = truth.appearance.repeat_interleave(per_clip, 0)
        test = load_test(data)
        self.test_images, self.test_keypoints = test.images[:, ::4].flatten(0, 1), test.keypoints[:, ::4].flatten(0, 1)
        self.test_others = test.images[:, ::4].roll(1, 1).flatten(0, 1)
        self.test_colours = test.truth.appearance.repeat_interleave(test.images[:, ::4].shape[1], 0)

    def rebuilt(self, inputs, test_inputs, steps: int, seed: int) -> tuple[dict, torch.Tensor]:
        """What the reconstruction probe makes of a representation: its error, how much light and hue are right; the
        pictures.
        """
        made = rebuild(inputs, self.images, test_inputs, steps, seed)
        painted = painted_r2(made, self.test_images, self.test_keypoints)
        return {"rebuild_error": F.mse_loss(made, self.test_images).item(), "painted_r2": painted}, made

    def attributes(self, inputs, test_inputs, steps: int, seed: int, shuffled: bool = False) -> dict:
        """Colours of unseen people (R²) that probes predict from a representation."""
        colours = self.colours
        if shuffled:
            colours = colours[torch.randperm(len(colours), generator=torch.Generator().manual_seed(seed))]
        return {"colour_r2": colour_r2(inputs, colours, test_inputs, self.test_colours, self.names, steps, seed)}


def power(material: Material, draw, geometry: float, image: float, steps: int, seed: int) -> dict[str, dict]:
    """What the reconstruction probe finds of images planted into true skeletons, by amplitude: its scale."""
    found = {}
    for amplitude in PLANTED:
        a, b = (
            plant(draw(points), images, amplitude)
            for points, images in (
                (material.keypoints, material.images),
                (material.test_keypoints, material.test_images),
            )
        )
        readings, _ = material.rebuilt(a, b, steps, seed)
        found[f"{amplitude:g}"] = readings | {"leak": leak(readings["rebuild_error"], geometry, image)}
    return found


def references(material: Material, config: Config, draw, rebuild_steps: int, probe_steps: int, seed: int) -> dict:
    """What the image itself, true skeletons and true skeletons with jitter reveal; and the control with shuffled
    labels.
    """
    true, test_true = draw(material.keypoints), draw(material.test_keypoints)

    def both(a, b):
        return material.rebuilt(a, b, rebuild_steps, seed)[0] | material.attributes(a, b, probe_steps, seed)

    readings = {
        "image": both(material.images, material.test_images),
        "true skeletons": both(true, test_true),
        "image, labels shuffled": material.attributes(
            material.images, material.test_images, probe_steps, seed, shuffled=True
        ),
    }
    untrained = Predictor(Model(config).eval(), torch.nn.Identity())
    with torch.no_grad():
        a, b = (
            torch.cat([untrained.model.encoder(x) for x in i.split(64)])
            for i in (material.images, material.test_images)
        )
    readings["y of an untrained Φ"] = both(a, b)
    for name, change in (
        ("silhouettes", lambda x: person_mask(x) * 2 - 1),
        ("image, grey", lambda x: x.mean(1, keepdim=True)),
    ):
        readings[name] = both(change(material.images), change(material.test_images))
    for pixels in (0.25, 0.5, 1.0):
        a, b = (draw(jitter(k, pixels, config.data.size, seed)) for k in (material.keypoints, material.test_keypoints))
        readings[f"true skeletons, jitter {pixels} px"] = material.attributes(a, b, probe_steps, seed)
    return readings


def of_model(
    material: Material,
    predictor: Predictor,
    geometry: float,
    image: float,
    rebuild_steps: int,
    probe_steps: int,
    seed: int,
):
    """Every measure for one model; also the predictions and pictures that the figures show."""
    made, test_made = predictor(material.images), predictor(material.test_images)
    numbers, pictures = {}, {}
    for name, a, b in (("y", made.skeleton, test_made.skeleton), ("y*", made.redrawn, test_made.redrawn)):
        numbers[name], pictures[name] = material.rebuilt(a, b, rebuild_steps, seed)
        numbers[name]["leak"] = leak(numbers[name]["rebuild_error"], geometry, image)
        numbers[name] |= material.attributes(a, b, probe_steps, seed)
    for pixels in (0.25, 0.5, 1.0):
        a, b = (predictor.model.draw(jitter(m.keypoints, pixels, predictor.size, seed)) for m in (made, test_made))
        numbers[f"y*, jitter {pixels} px"] = material.attributes(a, b, probe_steps, seed)
    numbers["rms"] = rms_amplitude(test_made.skeleton, test_made.redrawn, predictor.model.config.network.sigma)
    numbers["transplant"] = transplant(predictor, material.test_images, material.test_others, seed)
    return numbers, pictures


def find_weights(folder: Path, setting: str, steps: int, seed: int) -> Path:
    """The final weights of a setting in ``folder``, as kp ships them (seed 0) or as a study leaves them. KpError if
    there are none.
    """
    shipped, left = folder / f"{setting}.safetensors", folder / f"{setting}_steps{steps}_seed{seed}.safetensors"
    if seed == 0 and shipped.is_file():
        return shipped
    if not left.is_file():
        raise KpError(f"{left}: no such file; the head of kp/research/scripts/leakage.py says which training makes it")
    return left


def draw_logs(out: Path, material: Material, predictors: dict) -> None:
    """log_pictures.png: y, its logarithm, that of the residual, Ψ's picture; last, a true skeleton and what η misreads
    of it.
    """
    index = torch.linspace(0, len(material.test_images) - 1, 8).long()[[2, 5]]
    x, other = material.test_images[index], material.test_others[index]
    rows = []
    for name, predictor in predictors.items():
        made = predictor(x)
        painted = predictor.decode(predictor.model.decoder_input(made.skeleton, made.redrawn), other)
        rows.append((name, made.skeleton, made.redrawn, painted))
    method = next(iter(predictors.values())).model
    true = method.draw(material.test_keypoints[index])
    with torch.no_grad(), evaluating(method):
        rows.append(("a true skeleton", true, method.draw(method.regressor(true)), None))
    write_figure(log_pictures(x, rows), out / "log_pictures.png")


def main(
    preset: str = "laptop",
    steps: int = 12000,
    seeds: tuple[int, ...] = (0,),
    out: Path = Path("results/leakage"),
    rebuild_steps: int = 300,
    probe_steps: int = 200,
    weights: Path = Path("data/runs/steps12000/weights"),
) -> None:
    """Measure leakage of the three variants for every seed that has no record in ``out`` yet.

    Args:
        preset: The study's preset: laptop, or faces.
        steps: Steps of the study's runs.
        seeds: Seeds of the study's runs; also those of the probes.
        out: Folder for seed<n>.json, rebuilt.png and log_pictures.png.
        rebuild_steps: Steps of each reconstruction probe.
        probe_steps: Steps of each attribute probe.
        weights: Folder of the models' weights.
    """
    if preset not in VARIANTS:
        raise KpError(f"no leakage study of the preset '{preset}'; use one of: {', '.join(VARIANTS)}")
    variants, config = VARIANTS[preset], find_preset(preset)()
    material = Material(config)
    for seed in seeds:
        path = out / f"seed{seed}.json"
        if path.exists() and (seed != seeds[0] or (out / "log_pictures.png").exists()):
            print(f"{path}: done already")
            continue
        predictors = {v: load(find_weights(weights, name, steps, seed)) for v, name in variants.items()}
        for predictor in predictors.values():
            if (trained := predictor.model.config.optimizer.steps) != steps:
                raise KpError(f"{weights}: holds models of {trained} steps, not of {steps}; give --steps {trained}")
        if seed == seeds[0]:
            draw_logs(out, material, {find_ablation(v)[0]: p for v, p in predictors.items()})
            if path.exists():
                continue
        draw = predictors["full"].model.draw
        known = references(material, config, draw, rebuild_steps, probe_steps, seed)
        geometry, image = known["true skeletons"]["rebuild_error"], known["image"]["rebuild_error"]
        for name in ("y of an untrained Φ", "silhouettes", "image, grey"):
            known[name]["leak"] = leak(known[name]["rebuild_error"], geometry, image)
        models, rebuilt = {}, {}
        for variant, predictor in tqdm(predictors.items(), desc=f"seed {seed}", unit="model"):
            name = find_ablation(variant)[0]
            models[variant], pictures = of_model(material, predictor, geometry, image, rebuild_steps, probe_steps, seed)
            rebuilt |= {f"{k} of: {name}": v for k, v in pictures.items() if k == "y" or variant == "full"}
        capacity = {str(p): capacity_bits(material.keypoints.shape[1], config.data.size, p) for p in (0.1, 0.5, 1.0)}
        write_record(
            path,
            {
                "command": command_line(),
                "steps": steps,
                "seed": seed,
                "references": known,
                "models": models,
                "planted": power(material, draw, geometry, image, rebuild_steps, seed),
                "capacity_bits": capacity,
            },
        )
        if seed == seeds[0]:
            write_figure(rebuilt_pictures(material.test_images, rebuilt), out / "rebuilt.png")


if __name__ == "__main__":
    tyro.cli(main)
