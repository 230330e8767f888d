"""From a folder of ordinary videos and a file of poses to a model, in stages: ``kp fit``.

RUN/set: square clips and the prior (kp/own_video/prepare.py). RUN/masks: where the subject is
(kp/own_video/masks). RUN/checkpoint.pt: the method, trained on the subject on black (kp/training/loop.py); with a
cardboard figure of the subject, only η's pre-training, and a reader of such figures teaches in the method's place.
RUN/model.safetensors: the student, which sees the background and needs no masks (kp/own_video/lessons.py). A stage's
result is there whole or not at all; started again, finished stages are skipped and the others go on.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from tqdm import tqdm

import kp
from kp.config import Config, of_dataset, study
from kp.datasets.clips import Clips, to_images
from kp.datasets.priors import Poses, load_prior
from kp.datasets.sets import open_clips
from kp.errors import KpError
from kp.files import alone, atomic_write, read_npz
from kp.formats.poses import MIN_LIKELIHOOD, PoseFile
from kp.formats.read import fit_skeleton, read_pose_file
from kp.geometry import evenly
from kp.inference.predictor import Predictor
from kp.inference.published import load
from kp.inference.view import Crop
from kp.own_video.cardboard import find_figure, load_cardboard
from kp.own_video.check import Grave, advise, look_through
from kp.own_video.coverage import check_turned_limbs
from kp.own_video.lessons import lessons_of, lessons_of_figures, lessons_of_outlines, student_of
from kp.own_video.masks import By
from kp.own_video.masks.write import write_masks
from kp.own_video.prepare import prepare
from kp.own_video.stages import Stages
from kp.skeletons import BODY, FACE, Skeleton, find_skeleton, skeleton_with
from kp.training.diagnostics import Verdict
from kp.training.loop import train
from kp.training.monitor import Monitor
from kp.training.state import State
from kp.validation import parse, validated
from kp.video import find_videos, read_header

SHIPPED_POSES = {"people": "data/people/priors/matched.npz", "faces": "data/faces/priors/photographs.npz"}
SURE, FEW_LIKELY, MANY_LIKELY = 0.6, 0.4, 0.7  # confidence of a likely joint; shares of them
READER_STEPS = 2  # of a reader of figures, for each step that the method would have had
MAY_GROW = ("steps", "student_steps")  # settings that a folder's fit may have more of: it goes on then


Steps = Annotated[int, Field(ge=0)]


@validated
class Fit:
    """What a model of one's own is made from; kept as RUN/fit.json.

    Paths are absolute, so that the record says which files.
    """

    videos: tuple[Path, ...]
    poses: Path
    skeleton: str = ""
    crop: Crop = ""
    boxes: tuple[Path, ...] = ()
    every: Annotated[int, Field(ge=1)] = 1
    start: str = ""
    figure: str = ""
    masks: Literal[By, "none"] = "motion"
    vary_prior: Literal["no", "limbs"] = "no"
    size: Annotated[int, Field(ge=16)] = 64
    steps: Steps = 1000
    pretrain_steps: Steps | None = None  # as many as the skeleton needs
    mask_steps: Steps = 600
    student_steps: Steps = 1000
    seed: int = 0
    min_likelihood: float = MIN_LIKELIHOOD
    check: bool = True


def find_poses(name: str) -> Path:
    """The file of poses called ``name``: "people" and "faces" are those that ship with kp, all else is a path."""
    if name not in SHIPPED_POSES:
        return Path(name)
    package = Path(kp.__file__).resolve().parent
    installed, cloned = package / "models/priors" / f"{name}.npz", package.parent / SHIPPED_POSES[name]
    return installed if installed.is_file() else cloned


def open_poses(
    poses: Path, skeleton: str = "", min_likelihood: float = MIN_LIKELIHOOD, start: Predictor | None = None
) -> tuple[PoseFile, Skeleton]:
    """Read a file of poses, say what was read, and return it with its topology.

    skeleton: a name or .json file; empty takes that of ``start``, if there is one, else what the file says. KpError
    names the file and what is wrong with it.
    """
    named = find_skeleton(skeleton) if skeleton else start.skeleton if start else None
    read = read_pose_file(poses, min_likelihood)
    try:
        pose_file, topology = fit_skeleton(read, named)
    except KpError as error:
        if not start or skeleton:
            raise
        raise KpError(
            f"{poses}: holds other joints than those of the skeleton '{named.name}', which the model of --start finds; "
            "leave --start out, or give poses of that skeleton"
        ) from error
    print(pose_file.summary(topology), flush=True)
    return pose_file, topology


def pretrain_steps_for(joints: int) -> int:
    """How long η learns alone: 2,000 steps for a body's joints, longer for more of them."""
    return min(125 * joints, 4000) if joints > len(BODY) else 2000


def find_films(settings: Fit, out: Path) -> list[Path]:
    """The films of this fit, without those that it has written itself if ``out`` lies among them."""
    own = {(out / stage).resolve() for stage in ("set", "masks")}
    return [film for film in find_videos(list(settings.videos)) if own.isdisjoint(film.resolve().parents)]


def open_fit(settings: Fit, out: Path) -> None:
    """Make ``out`` the folder of this fit; more steps than before are welcome.

    KpError if it holds what another fit made, a fit of other films, or other files, or if it cannot be written.
    """
    films = [str(path) for path in find_films(settings, out)]
    record = json.loads(json.dumps(asdict(settings), default=str)) | {"films": films}
    del record["check"]  # says whether to begin, and changes no result
    path = out / "fit.json"
    if path.is_file():
        try:
            before = parse(dict[str, Any], path.read_text(encoding="utf-8"), str(path))
        except (KpError, UnicodeDecodeError) as error:
            raise KpError(f"{path}: not readable; delete {out} or choose another --out") from error
        if isinstance(before.get("masks"), bool):  # what kp 0.4 wrote
            before["masks"] = "motion" if before["masks"] else "none"
        asked = {name: value for name, value in record.items() if value is not None}  # None fits whatever was chosen
        changed = [name for name in asked if before.get(name, asked[name]) != asked[name]]
        if "films" in changed and (new := sorted(set(films) ^ set(before.get("films", [])))):
            raise KpError(
                f"{out}: holds a fit of other films (not both have {new[0]}); choose another --out or delete it"
            )
        grown = [name for name in changed if name in MAY_GROW and record[name] > before[name]]
        if changed != grown and (out / "set").is_dir():
            differing = ", ".join(name for name in changed if name not in grown)
            raise KpError(
                f"{out}: holds a fit with other settings ({differing} differ); choose another --out or delete it"
            )
        if grown:
            (out / "model.safetensors").unlink(missing_ok=True)
        if not changed:
            return
    elif out.is_file() or (
        out.is_dir() and any(p.name not in (".fit.part.json", ".lock", ".process") for p in out.iterdir())
    ):
        raise KpError(f"{out}: is in use already; delete it or choose another --out")
    with atomic_write(path) as part:
        part.write_text(json.dumps(record, indent=1) + "\n")


def skeleton_of(videos: Path) -> str:
    """What ``data.skeleton`` must be for a video set of ``kp prepare``: its own skeleton.json, or a shipped topology's
    name.
    """
    own, prior = videos / "skeleton.json", videos / "priors/own.npz"
    if own.is_file():
        return str(own)
    return skeleton_with([str(name) for name in read_npz(prior, ("joint_names",))["joint_names"]], prior).name


def choose_config(settings: Fit, out: Path, start: Predictor | None = None) -> Config:
    """The study preset, or ``start``'s networks, for the video set in RUN/set and its masks, if it shall have any.

    KpError if ``start`` finds other joints than the poses have.
    """
    name = skeleton_of(out / "set")
    if start and start.skeleton.joints != find_skeleton(name).joints:
        raise KpError(
            f"--start {settings.start}: finds the joints of the skeleton '{start.skeleton.name}', but {settings.poses} "
            "holds others; "
            "leave --start out, or give poses of that skeleton"
        )
    base = of_dataset(study(), "faces") if name == FACE.name else study()
    return base.but(
        seed=settings.seed,
        network=start.model.config.network if start else base.network,
        **{
            "data.videos": out / "set",
            "data.prior": "own",
            "data.vary_prior": settings.vary_prior,
            "data.background": settings.masks == "none",
            "data.masks": None if settings.masks == "none" else out / "masks",
            "data.size": start.size if start else settings.size,
            "data.skeleton": name,
            "data.move": True,  # cameras are tilted, crops off the middle
            "optimizer.steps": 0 if settings.figure else settings.steps,
            "optimizer.pretrain_steps": settings.pretrain_steps or pretrain_steps_for(len(find_skeleton(name))),
        },
    )


def fit(
    videos: str | Path | Sequence[str | Path],
    poses: str | Path,
    out: str | Path,
    device: str = "cpu",
    **settings: Any,
) -> Predictor:
    """Train a model on ordinary videos of one subject, as ``kp fit`` does; returns the model, which ``out`` keeps.

    videos: films, or folders of films. poses: "people", "faces", or a file of poses of other subjects. settings:
    further fields of :class:`Fit`, such as crop="subject" or steps=2000. Called again, it goes on where it was stopped.
    KpError names the file or the setting that does not fit.
    """
    films = [videos] if isinstance(videos, str | Path) else videos
    record = Fit(tuple(Path(film).absolute() for film in films), find_poses(str(poses)).absolute(), **settings)
    with Monitor(Path(out)) as monitor:
        return fit_stages(record, Path(out), device, monitor)


def fit_stages(
    settings: Fit, out: Path, device: str = "cpu", on_step: Callable[[State, Clips, Poses], None] | None = None
) -> Predictor:
    """Run the stages that are not done yet; returns the model that RUN/model.safetensors holds.

    on_step: called after every step of the main training, with its state, clips and poses. KpError names the file or
    the setting that does not fit, or another process that works in ``out``.
    """
    with alone(out):
        return _fit_alone(settings, out, device, on_step)


def _fit_alone(
    settings: Fit, out: Path, device: str, on_step: Callable[[State, Clips, Poses], None] | None
) -> Predictor:
    model = out / "model.safetensors"
    start = load(settings.start) if settings.start else None
    films = find_films(settings, out)
    size = start.model.config.data.size if start else settings.size  # what has no model is refused here
    if settings.vary_prior == "limbs" and settings.masks == "none":
        raise KpError("--vary-prior limbs: whether it helps is judged by masks; leave --masks none out")
    if settings.figure and settings.masks == "none":
        raise KpError(f"{settings.figure}: figures are read on black; leave --masks none out")
    if not (out / "set").is_dir():
        poses, topology = open_poses(settings.poses, settings.skeleton, settings.min_likelihood, start)
        if settings.figure:
            load_cardboard(find_figure(settings.figure), topology)  # what is wrong with it is said at once
        if settings.check:
            check_first(films, poses, topology, settings, size)
        open_fit(settings, out)
        stages = plan(settings, len(topology), films, size)
        with stages.stage(0):
            prepare(films, poses, topology, out / "set", 2 * size, settings.crop, settings.boxes, settings.every)
    else:
        open_fit(settings, out)
        stages = plan(settings, len(find_skeleton(skeleton_of(out / "set"))), films, size)
    config = choose_config(settings, out, start)
    if settings.masks != "none" and not (out / "masks").is_dir():
        with stages.stage(1):
            size, steps, seed = config.data.size, settings.mask_steps, settings.seed
            write_masks(out / "set", out / "masks", settings.masks, size, steps, seed, device)
    if not model.is_file():
        if settings.vary_prior == "limbs" and not (out / "checkpoint.pt").is_file():
            skeleton, clips = find_skeleton(config.data.skeleton), open_clips(config.data, "train")
            check_turned_limbs(clips, load_prior(config.data), skeleton)
        weights, number = (start.model, start.first_regressor) if start else None, 1 + (settings.masks != "none")
        with stages.stage(number):
            trained = train(config, out, device=device, start=weights, on_step=on_step, strict=True).predictor()
        reader, student = out / "reader.part", out / "student.part"
        if settings.masks != "none":
            if settings.figure:
                with stages.stage(number + 1):
                    figure, reader_steps = find_figure(settings.figure), READER_STEPS * settings.steps
                    lessons = (
                        lessons_of_outlines(config)
                        if reader_ships(settings)
                        else lessons_of_figures(figure, config, reader_steps, reader)
                    )
            with stages.stage(stages.last):
                if not settings.figure:
                    lessons = lessons_of(trained, config)
                trained = student_of(trained, lessons, config, settings.student_steps, device, student)
        trained.save(model)
        for part in (reader, student):
            part.unlink(missing_ok=True)
    return load(model)


def reader_ships(settings: Fit) -> bool:
    """Whether the reader that this fit asks for ships with kp."""
    return settings.figure == "people" and settings.poses == find_poses("people").absolute()


def plan(settings: Fit, joints: int, films: list[Path], size: int) -> Stages:
    """The stages of this fit, and how long each is expected to take."""
    frames = sum(read_header(film).count or 0 for film in films)
    pretraining = 0 if settings.start else settings.pretrain_steps or pretrain_steps_for(joints)
    method, reader = (0, READER_STEPS * settings.steps) if settings.figure else (settings.steps, 0)
    reader = 1 if reader_ships(settings) else reader
    masks, mask_steps, student = settings.masks, settings.mask_steps, settings.student_steps
    return Stages.of(frames, size, masks, mask_steps, pretraining, method, student, reader)


def check_first(films: list[Path], poses: PoseFile, skeleton: Skeleton, settings: Fit, size: int) -> None:
    """What ``kp check`` asks, before hours are spent. KpError if the answers would spoil them."""
    boxes = settings.boxes or (None,) * len(films)
    footage = [look_through(f, settings.crop, b, settings.every) for f, b in zip(films, boxes, strict=False)]
    located = settings.crop in ("person", "subject") or bool(settings.boxes)
    advice = advise(footage, poses, skeleton, size, located)
    if settings.masks == "person" and skeleton.joints == BODY.joints and not settings.figure:
        advice.append("A reader of outlines follows arms and legs that the method loses on film: --figure people.")
    grave = [words for words in advice if isinstance(words, Grave)]
    for words in advice:
        tqdm.write(f"- {words}")
    if grave:
        raise KpError(f"this would spoil the training: {grave[0]} (kp check shows it; --no-check trains all the same)")


def conclusion(model: Predictor, out: Path, verdict: Verdict) -> str:
    """Whether a fitted model looks usable, in a sentence: from what the monitor saw, and from its confidence in frames
    of the footage as they are.
    """
    clips = open_clips(model.model.config.but(**{"data.videos": out / "set", "data.masks": None}).data, "train")
    chosen = [clips.frames[i] for i in evenly(len(clips), 16)]
    frames = torch.stack([frames[t] for frames in chosen for t in evenly(len(frames), 4)])
    _, sure = model.with_confidence(to_images(frames))
    likely = (sure > SURE).double().mean().item()
    words = f"{likely:.0%} of the joints are likely in the footage itself"
    if verdict.level == "wrong" or likely < FEW_LIKELY:
        page = out / "report.html"  # a fit by a figure has none
        look = f"see {page}" if page.is_file() else "look at the overlay of a film"
        return f"not usable: {verdict.seen if verdict.level == 'wrong' else words}; {look}"
    if verdict.level == "doubtful" or likely < MANY_LIKELY:
        seen = "" if verdict.level == "early" else f"; {verdict.seen}"
        return f"look at the overlay before you use it: {words}{seen}"
    return f"looks usable: {words}; look at the overlay of a film all the same"
