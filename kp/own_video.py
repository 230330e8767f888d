"""From a folder of ordinary videos and a file of poses to a model, in stages: ``kp fit``.

RUN/set: square clips and the prior (kp/prepare.py). RUN/masks: where the subject is, from motion (kp/foreground.py). RUN/checkpoint.pt: the
method, trained on the subject on black (kp/train.py). RUN/model.safetensors: its student, which sees the background and needs no masks
(kp/student.py). A stage's result is there whole or not at all; started again, finished stages are skipped and training goes on.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import kp
from kp.clips import Clips
from kp.config import Config, of_dataset, study
from kp.datasets import open_clips
from kp.errors import KpError
from kp.footage import find_videos
from kp.foreground import write_masks
from kp.poses import Poses, read_npz
from kp.predict import Predictor
from kp.prepare import prepare
from kp.skeleton import FACE, find_skeleton, skeleton_with
from kp.state import State
from kp.student import teach, train_student
from kp.train import train
from kp.weights import load, save_weights
from kp.whole import whole

SHIPPED_POSES = {"people": "data/people/priors/matched.npz", "faces": "data/faces/priors/photographs.npz"}
LESSONS_EVERY = 2  # frames of the student's lessons: neighbours are nearly equal
LESSONS_OF = 2000  # clips of the lessons, where there are more


@dataclass(frozen=True)
class Fit:
    """What a model of one's own is made from; kept as RUN/fit.json. Paths are absolute, so that the record tells which files."""

    videos: tuple[Path, ...]
    poses: Path
    skeleton: str = ""
    crop: Literal["", "subject", "frame"] = ""
    boxes: tuple[Path, ...] = ()
    every: int = 1
    start: str = ""
    masks: bool = True
    size: int = 64
    steps: int = 1000
    pretrain_steps: int = 2000
    mask_steps: int = 600
    student_steps: int = 1000
    seed: int = 0


def find_poses(name: str) -> Path:
    """The file of poses called ``name``: "people" and "faces" are those that ship with kp's repository, all else is a path.

    KpError if kp was installed without its repository.
    """
    if name not in SHIPPED_POSES:
        return Path(name)
    path = Path(kp.__file__).resolve().parents[1] / SHIPPED_POSES[name]
    if not path.is_file():
        raise KpError(f"{path}: the shipped poses of {name} lie in kp's repository; run kp from a clone of it, or give a file")
    return path


def open_fit(asked: Fit, out: Path) -> None:
    """Make ``out`` the folder of this fit. KpError if it holds what another fit made, or other files, or cannot be written."""
    told = json.loads(json.dumps(asdict(asked), default=str))
    record = out / "fit.json"
    if record.is_file():
        try:
            before = json.loads(record.read_text())
        except ValueError as error:
            raise KpError(f"{record}: not readable; delete {out} or choose another --out") from error
        changed = [name for name in told if before.get(name) != told[name]]
        if changed and (out / "set").is_dir():
            raise KpError(f"{out}: holds a fit with other settings ({', '.join(changed)} differ); choose another --out or delete it")
        if not changed:
            return
    elif out.is_file() or (out.is_dir() and any(p.name != ".fit.part.json" for p in out.iterdir())):
        raise KpError(f"{out}: is in use already; delete it or choose another --out")
    with whole(record) as part:
        part.write_text(json.dumps(told, indent=1) + "\n")


def skeleton_of(videos: Path) -> str:
    """What ``data.skeleton`` must be for a video set that ``kp prepare`` made: its own skeleton.json, or a shipped topology's name."""
    own, prior = videos / "skeleton.json", videos / "priors/own.npz"
    if own.is_file():
        return str(own)
    return skeleton_with([str(name) for name in read_npz(prior, ("joint_names",))["joint_names"]], prior).name


def choose_config(asked: Fit, out: Path, start: Predictor | None = None) -> Config:
    """The study preset, or ``start``'s networks, for the video set in RUN/set and its masks, if it shall have any.

    KpError if ``start`` finds other joints than the poses have.
    """
    name = skeleton_of(out / "set")
    if start and start.skeleton.joints != find_skeleton(name).joints:
        raise KpError(
            f"--start {asked.start}: finds the joints of the skeleton '{start.skeleton.name}', but {asked.poses} holds others; "
            "leave --start out, or give poses of that skeleton"
        )
    base = of_dataset(study(), "faces") if name == FACE.name else study()
    data = replace(
        base.data,
        videos=out / "set",
        prior="own",
        background=not asked.masks,
        masks=out / "masks" if asked.masks else None,
        size=start.size if start else asked.size,
        skeleton=name,
        move=True,  # cameras are tilted, crops off the middle
    )
    rates = replace(base.optimizer, steps=asked.steps, pretrain_steps=asked.pretrain_steps)
    network = start.model.config.network if start else base.network
    return replace(base, data=data, network=network, optimizer=rates, seed=asked.seed)


def fit(asked: Fit, out: Path, device: str = "cpu", on_step: Callable[[State, Clips, Poses], None] | None = None) -> Predictor:
    """Run the stages that are not done yet; returns the model that RUN/model.safetensors holds.

    on_step: called after every step of the main training, with its state, clips and poses. KpError names the file or the setting that
    does not fit.
    """
    model = out / "model.safetensors"
    start = load(asked.start) if asked.start else None
    open_fit(asked, out)
    if not (out / "set").is_dir():
        named = find_skeleton(asked.skeleton) if asked.skeleton else None
        size = 2 * (start.size if start else asked.size)
        prepare(find_videos(list(asked.videos)), asked.poses, out / "set", named, size, asked.crop, asked.boxes, asked.every)
    config = choose_config(asked, out, start)
    if asked.masks and not (out / "masks").is_dir():
        write_masks(out / "set", out / "masks", config.data.size, asked.mask_steps, asked.seed)
    if not model.is_file():
        given = (start.model, start.first_regressor) if start else None
        trained = Predictor.of(train(config, out, device=device, start=given, on_step=on_step))
        save_weights(student_of(trained, config, asked.student_steps) if asked.masks else trained, model)
    return load(model)


def student_of(teacher: Predictor, config: Config, steps: int) -> Predictor:
    """A student that sees the frames as they are, taught what ``teacher`` sees in them on black; half of the frames suffice."""
    black = open_clips(replace(config.data, every=LESSONS_EVERY), "train").some(LESSONS_OF)
    lessons = teach(teacher, black)
    data = replace(config.data, background=True, masks=None, augment=True, every=LESSONS_EVERY)
    rates = replace(config.optimizer, steps=steps, schedule="one-cycle", lr=1e-3)
    return train_student(teacher, replace(config, data=data, optimizer=rates), open_clips(data, "train").some(LESSONS_OF), lessons)
