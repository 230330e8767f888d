"""The command line: ``kp fit | predict | train | evaluate | swap | export | prepare | masks | check | study``. Every command has --help."""

import dataclasses
import json
import os
import sys
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Literal

import tyro

from kp.cli_footage import check, fit, masks, prepare
from kp.config import PRESETS, Config
from kp.errors import KpError
from kp.whole import whole


def train(
    config: Annotated[Config, tyro.conf.arg(name="")],
    out: Path = Path("runs/laptop"),
    device: str = "cpu",
) -> None:
    """Train a model, or go on where an interrupted training of the same settings stopped.

    On several processors or machines: torchrun --nproc-per-node 2 -m kp.cli train …, the same settings and the same steps.
    Watches whether it learns: words on the terminal when that changes, and OUT/report.html, a page with pictures that reloads itself.

    Args:
        config: All settings; the preset gives their defaults.
        out: Run folder: config.json, metrics.jsonl, checkpoint.pt, watch.jsonl, report.html.
        device: Where to compute: cpu, cuda, cuda:1, ...
    """
    from kp import parallel
    from kp.train import train as run
    from kp.watch import Watch

    try:
        with Watch(out) as watch:
            run(config, out, device=device, on_step=watch)
        if parallel.rank() > 0:
            return
    finally:
        parallel.finish()
    print(f"trained: {out / 'checkpoint.pt'}\nreport:  {out / 'report.html'}")
    print(f"next:    kp evaluate {out}   or   kp predict {out} IMAGE_OR_VIDEO")


def evaluate(run: tyro.conf.Positional[Path], split: str = "test", json_file: Path | None = None) -> None:
    """Measure a trained run on people it has never seen.

    Args:
        run: Run folder, .safetensors file, or the name of a published model: people, faces.
        split: val or test.
        json_file: Also write the numbers to this file.
    """
    from kp.datasets import open_prior
    from kp.evaluate import activities, load_test
    from kp.evaluate import evaluate as measure
    from kp.human36m import is_human36m
    from kp.weights import load

    predictor = load(run)
    data = predictor.model.config.data
    if is_human36m(data.videos):
        table = activities(predictor, split)
        print(f"{'error, % of the image size':28s} {'raw':>6s} {'flip minimum':>13s} {'flips resolved, no labels':>26s}")
        for name, row in table.items():
            print(f"{name:28s} {row['raw']:6.2f} {row['flip_minimum']:13.2f} {row['label_free']:26.2f}")
        return _write(json_file, table)
    poses = open_prior(data, predictor.model.config.seed)
    scores, _ = measure(predictor, load_test(data, split), poses)
    low, high = scores.raw_interval
    print(f"error, % of the image size   {scores.raw:.2f}   (95 % interval over clips {low:.2f}–{high:.2f})")
    print(f"  flips resolved, no labels  {scores.label_free:.2f}\n  flip minimum               {scores.flip_minimum:.2f}")
    if scores.ruler is not None:
        low, high = scores.ruler_interval
        print(f"  % of {' to '.join(predictor.skeleton.ruler):22s}{scores.ruler:.2f}   ({low:.2f}–{high:.2f})")
    print(f"  mean pose of the prior     {scores.mean_pose:.2f}\nPCK at 5 %: {scores.pck5:.1f} %   at 10 %: {scores.pck10:.1f} %")
    for joint, error in (scores.by_region or scores.by_joint).items():
        print(f"  {joint:15s} {error:5.2f}")
    _write(json_file, dataclasses.asdict(scores))


def _write(json_file: Path | None, numbers: dict) -> None:
    if json_file:
        with whole(json_file) as part:
            part.write_text(json.dumps(numbers, indent=2) + "\n")


def predict(
    run: tyro.conf.Positional[Path],
    inputs: tyro.conf.Positional[tuple[Path, ...]],
    crop: Literal["", "subject", "frame"] = "",
    boxes: tuple[Path, ...] = (),
    masks: tuple[Path, ...] = (),
    formats: tuple[Literal["csv", "dlc", "dlc-h5", "coco", "sleap"], ...] = ("csv",),
    out: Path = Path("predictions"),
) -> None:
    """Find the named keypoints in images or videos of one subject.

    Writes for each input its keypoints and their confidence, in pixels of that input (0 = centre of the first pixel); a PNG with
    the poses drawn over up to eight frames and, for a video, an mp4 with all of them. Each frame is read as it is and
    mirrored: keypoints are the mean. Confidence comes from how far these and the redrawn skeleton's reading are apart.

    Args:
        run: Run folder, .safetensors file, or the name of a published model: people, faces.
        inputs: Images, videos (mp4, m4v, mov, avi, mkv, webm; any size), or folders of videos.
        crop: Where the subject is, if frames are not square: "subject" finds what moves before a static camera, "frame" takes
            whole frames between black bars.
        boxes: One box track for each input instead: CSV files with the columns frame, x, y, width, height, in pixels.
        masks: One mask image or video for each input, white where the subject is, to black out the background.
        formats: Files for the keypoints: csv (frame,joint,x,y,confidence), dlc and dlc-h5 (DeepLabCut's tables), coco (JSON), sleap (.slp).
        out: Folder for the results.
    """
    from kp.exports import FORMATS
    from kp.footage import find_videos
    from kp.overlay import draw_glimpses, write_overlay
    from kp.tracking import look, track
    from kp.weights import load

    inputs = [video for path in inputs for video in (find_videos([path]) if path.is_dir() else [path])]
    if not inputs:
        raise KpError("nothing to predict; name at least one image or video after the run folder")
    endings = [FORMATS[name][0] for name in formats] + [".png", ".mp4"]
    targets = [out / f"{path.stem}{ending}" for path in inputs for ending in endings]
    if len(set(targets)) < len(targets) or {t.resolve() for t in targets} & {p.resolve() for p in inputs}:
        raise KpError(f"{out}: two results, or a result and an input, would share one name; rename an input or choose another --out")
    for name, files in (("masks", masks), ("boxes", boxes)):
        if files and len(files) != len(inputs):
            raise KpError(f"{len(inputs)} inputs but {len(files)} {name}; give one for each input, in the same order")
    predictor = load(run)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KpError(f"{out}: cannot be written ({error.strerror}); choose another folder with --out") from error
    for path, box_file, mask in zip_longest(inputs, boxes, masks):
        found = track(predictor, look(path, crop, box_file, mask))
        for name in formats:
            ending, write = FORMATS[name]
            write(found, out / f"{path.stem}{ending}")
        draw_glimpses(found, out / f"{path.stem}.png")
        if len(found.keypoints) > 1:
            write_overlay(found, out / f"{path.stem}.mp4")
    print(f"wrote what was found in {len(inputs)} files to {out}/")


def swap(
    run: tyro.conf.Positional[Path],
    pose: tyro.conf.Positional[Path],
    person: tyro.conf.Positional[Path],
    crop: Literal["", "subject", "frame"] = "",
    masks: tuple[Path, ...] = (),
    out: Path = Path("predictions"),
) -> None:
    """Paint the pose of one clip on the person of another.

    Writes <pose>_on_<person>.mp4, in which frame, redrawn skeleton and painting lie side by side, and a PNG with moments of it. The
    published models learnt to paint subjects on black: give masks.

    Args:
        run: Run folder, .safetensors file, or the name of a published model: people, faces.
        pose: Video (or image) that the pose is taken from.
        person: Video (or image) that the appearance is taken from: its middle frame.
        crop: Where the subjects are, if frames are not square: "subject" finds what moves before a static camera, "frame" takes
            whole frames between black bars.
        masks: Two files, for pose and for person, white where the subject is.
        out: Folder for the results.
    """
    from kp.swap import write_swap
    from kp.tracking import look
    from kp.weights import load

    if masks and len(masks) != 2:
        raise KpError(f"{len(masks)} masks; give two, for the pose and for the person")
    predictor = load(run)
    views = [look(path, crop, masks=mask) for path, mask in zip((pose, person), masks or (None, None), strict=True)]
    print("wrote {} and {}".format(*write_swap(predictor, *views, out)))


def export(run: tyro.conf.Positional[Path], out: Path = Path("onnx")) -> None:
    """Write a model as ONNX files that run without torch.

    predictor.onnx: images (n, 3, s, s) in [-1, 1] → keypoints (n, k, 2), (x, y) in [-1, 1], -1 and 1 at the centres of the first and last
    pixel. painter.onnx: such keypoints, and images of the person → the person in those poses.

    Args:
        run: Run folder, .safetensors file, or the name of a published model: people, faces.
        out: Folder for the two files.
    """
    from kp.onnx_export import write_onnx
    from kp.weights import load

    for path, apart in write_onnx(load(run), out).items():
        print(f"{path}: differs from torch by {apart:.1e} at most")


def study(
    settings: tyro.conf.Positional[tuple[str, ...]],
    seeds: tuple[int, ...] = (0, 1, 2),
    out: Path = Path("results/study"),
    preset: str = "study",
    steps: int = 300,
    precision: Literal["float32", "bfloat16"] = "float32",
    workers: int = 1,
    snapshots: tuple[int, ...] = (),
    device: str = "cpu",
) -> None:
    """Train named departures from a preset, several seeds each, and keep a record of every run.

    Skips runs that have a record, goes on with those that were cut off. Settings: see kp/ablations.py.

    Args:
        settings: Names of settings, such as: full no_discriminator skeleton_alone prior_50.
        seeds: Seeds of each setting.
        out: Folder for the records, <setting>_seed<n>.json.
        preset: Configuration to depart from.
        steps: Steps of the main training of every run; 0 takes the preset's.
        precision: Arithmetic of the networks.
        workers: Runs to train side by side, each in a process of its own.
        snapshots: Steps at which to save the weights too, in runs/study/snapshots; the final ones go to runs/study/weights.
        device: cpu or cuda.
    """
    from kp.study import run_study

    run_study(list(settings), list(seeds), out, preset, steps, precision, workers, snapshots, device)


def settings(preset: str = "study") -> None:
    """List the names that kp study takes, one a line.

    Args:
        preset: Those that make sense with this preset: faces have fewer than people.
    """
    from kp.ablations import ABLATIONS, ALL, FACES, FEATURES, RECIPES
    from kp.config import find_preset

    find_preset(preset)
    print("\n".join(ABLATIONS | RECIPES | FEATURES | FACES if preset == "faces" else ALL))


def main() -> None:
    """Entry point: one line and exit status 1 for mistakes in the input, no traceback."""
    presets = {name: (f"{make.__doc__.strip().splitlines()[0]}", make()) for name, make in PRESETS.items()}
    trained = tyro.extras.subcommand_type_from_defaults({k: v for k, (_, v) in presets.items()}, {k: d for k, (d, _) in presets.items()})
    train.__annotations__["config"] = Annotated[trained, tyro.conf.arg(name="")]
    try:
        tyro.extras.subcommand_cli_from_dict(
            {
                "fit": fit,
                "train": train,
                "evaluate": evaluate,
                "predict": predict,
                "swap": swap,
                "export": export,
                "prepare": prepare,
                "masks": masks,
                "study": study,
                "settings": settings,
                "check": check,
            },
            prog="kp",
            description="Named keypoints from unlabelled videos and unpaired poses.",
        )
        sys.stdout.flush()
    except KpError as error:
        sys.exit(f"kp: {error}")
    except BrokenPipeError:  # whoever read our words has gone, as in: kp --help | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit("kp: stopped; the same command goes on from the last checkpoint")


if __name__ == "__main__":
    main()
