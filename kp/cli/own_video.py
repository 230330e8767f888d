"""Commands for your own video: ``kp check``, ``kp fit``, ``kp prepare``, ``kp masks``."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from kp.cli.options import Subject, Where
from kp.errors import KpError, printable
from kp.own_video.masks import By

PICTURES = (".png", ".jpg", ".pdf", ".svg")


def check(
    videos: Positional[tuple[Path, ...]],
    poses: str,
    skeleton: str = "",
    subject: Subject = Where(),
    masks: By = "motion",
    every: int = 1,
    size: int = 64,
    min_likelihood: float = 0.6,
    out: Path = Path("check.png"),
) -> None:
    """Look at footage and poses before a training.

    What each video holds, what its crops keep, whether subjects and poses agree in size, place, shape and way up, what
    to change if not, and a contact sheet. Takes what kp fit takes.

    Args:
        videos: Videos, or folders of videos.
        poses: people or faces (the poses that ship with kp), or a file of poses, as kp fit takes it.
        skeleton: Name or .json file of the skeleton; empty takes the shipped one with these joints, else the edges in
            the file.
        masks: What tells the subject from its background, as in kp masks --by. By all but motion, the poses are also
            held against the subject's silhouettes: what the footage shows and the poses lack will not be learnt.
        every: Take every so many frames, as in kp fit.
        size: Resolution of the model that you mean to train.
        min_likelihood: Joints of a lower likelihood or score in the file of poses count as not marked.
        out: Picture for the contact sheet.
    """
    from kp.figures import write_figure
    from kp.inference.batch import name_results
    from kp.own_video.check import advise, as_table, contact_sheet, look_through
    from kp.own_video.coverage import judge_poses, silhouettes_of
    from kp.own_video.fit import find_poses, open_poses
    from kp.own_video.masks.write import ready_finder
    from kp.own_video.prepare import in_squares
    from kp.skeletons import BODY
    from kp.video import find_videos, read_header

    if out.suffix.lower() not in PICTURES:
        raise KpError(f"{out}: is a picture here; give a name that ends in {', '.join(PICTURES)}")
    films = find_videos(list(videos))
    boxes = subject.box_tracks(len(films))
    if every < 1 or size < 16:
        raise KpError(f"--size {size} --every {every}: a side has at least 16 pixels, and every is at least 1")
    pose_file, topology = open_poses(find_poses(poses), skeleton, min_likelihood)
    footage = [look_through(path, subject.crop, track, every) for path, track in zip(films, boxes, strict=True)]
    located = subject.crop in ("person", "subject") or bool(subject.boxes)
    names = name_results(films)
    for film in footage:
        if subject.save_boxes and film.track:
            film.track.save(subject.save_boxes / f"{names[film.path]}.csv", read_header(film.path).stretch)
    advice = advise(footage, pose_file, topology, size, located)
    covered = None
    if masks != "motion":
        shapes = silhouettes_of(footage, size, ready_finder(masks, films[0]))
        covered = judge_poses(shapes, in_squares(pose_file, topology, size), topology)
        advice += covered.advice(topology.joints == BODY.joints and masks in ("person", "selfie"))
    print("\n".join(as_table(footage, located)))
    print(f"skeleton '{topology.name}': {len(topology)} joints")
    if covered:
        print(covered)
    print("\n".join(f"- {printable(words)}" for words in advice) or "Nothing is amiss, as far as this can tell.")
    write_figure(contact_sheet(footage, pose_file, topology, size), out)
    print(f"look at: {out}")


def fit(
    videos: Positional[tuple[Path, ...]],
    poses: str,
    out: Path,
    skeleton: str = "",
    subject: Subject = Where(),
    masks: By | Literal["none"] = "motion",
    vary_prior: Literal["no", "limbs"] = "no",
    start: str = "",
    figure: str = "",
    every: int = 1,
    size: int = 64,
    steps: int = 1000,
    student_steps: int = 1000,
    seed: int = 0,
    min_likelihood: float = 0.6,
    check: bool = True,
    quick: bool = False,
    device: str = "cpu",
) -> None:
    """Train a model on ordinary videos of one subject, without labels. Started again, it goes on where it was stopped.

    What it takes: one subject in the picture, a camera that stands still (for people it may move: --crop person
    --masks person), all seen from much the same side (a drawn skeleton has no left and right of its own), and 2-D poses
    of other subjects. What it does: square clips around the subject, masks, training on the subject on black, and a
    student of that model that needs no masks: RUN/model.safetensors. While it trains, RUN/report.html shows whether it
    learns, with pictures. Then: kp predict RUN VIDEO

    Args:
        videos: Videos of any size and format, or folders of videos or of pictures.
        poses: people or faces (the poses that ship with kp), or a file of poses of other subjects: kp's .csv or .npz,
            DeepLabCut's .csv or .h5, COCO's .json, SLEAP's .slp or .h5, .nwb, or motion capture (.bvh), seen by random
            cameras before the subject.
        out: Folder RUN: video set, masks, checkpoint, report, model.
        skeleton: Name or .json file of the skeleton; empty takes the shipped one with these joints, else the edges in
            the file.
        masks: What tells the subject from its background, as in kp masks --by; the model learns from the subject on
            black. none learns from whole frames, which goes less far.
        vary_prior: With limbs, the limbs of the poses are turned at random, for subjects that reach farther than the
            poses; refused where they do not fit the silhouettes better (kp check --masks says so beforehand).
        start: Go on from a published model (people, faces), a run or a .safetensors file with this skeleton; empty
            starts afresh.
        figure: A cardboard figure of the subject: people (take --masks person, and --poses people or poses with the
            same 17 joints), or a .json file that says how wide and how bright its parts are, as
            data/flies/cardboard.json does. There is no report.html then. A network that reads drawings of this figure
            then teaches the student, in the method's place: for people who do more than the poses show, and for small
            animals of many limbs, where the method gets nowhere.
        every: Take every so many frames: neighbours of fast cameras are nearly equal.
        size: Resolution of the model, pixels a side (with --start that of the model).
        steps: Steps of the main training. With --figure, half of the steps of the network that reads figures; with
            --figure people and --poses people they have no effect, since that network ships. With more than before, a
            finished fit goes on.
        student_steps: Steps of the student's.
        seed: Seed of every random choice.
        min_likelihood: Joints of a lower likelihood or score in the file of poses count as not marked.
        check: First ask what kp check asks, and stop on what would spoil the training; --no-check trains all the same.
        quick: A first look in a few minutes: a fifth of the steps. Not a model to keep.
        device: Where to compute: cpu, cuda, cuda:1, ...
    """
    from kp.own_video.fit import Fit, conclusion, find_poses, fit_stages
    from kp.training.monitor import Monitor

    if size < 64 or size % 8 or every < 1 or min(steps, student_steps) < 1:
        raise KpError(
            f"--size {size} --every {every}: a side is a multiple of 8, 64 at least; every and the steps are at least 1"
        )
    settings = Fit(
        videos=tuple(path.absolute() for path in videos),
        poses=find_poses(poses).absolute(),
        skeleton=skeleton,
        crop=subject.crop,
        boxes=tuple(path.absolute() for path in subject.boxes),
        every=every,
        start=start,
        figure=figure if figure in ("", "people") else str(Path(figure).absolute()),
        masks=masks,
        vary_prior=vary_prior,
        size=size,
        steps=steps,
        student_steps=student_steps,
        seed=seed,
        min_likelihood=min_likelihood,
        check=check,
    )
    if quick:
        print("quick: a first look with a fifth of the steps, not a model to keep")
        fifth = dict(pretrain_steps=800, mask_steps=120, steps=steps // 5, student_steps=student_steps // 5)
        settings = replace(settings, **fifth)
    with Monitor(out) as monitor:
        model = fit_stages(settings, out, device, on_step=monitor)
    print(f"trained: {out / 'model.safetensors'}")
    if (out / "report.html").is_file():  # of the method; with a figure there is none
        print(f"report:  {out / 'report.html'}")
    print(f"next:    kp predict {out} VIDEO")
    print(conclusion(model, out, monitor.verdict))


def prepare(
    videos: Positional[tuple[Path, ...]],
    poses: str,
    out: Path,
    skeleton: str = "",
    subject: Subject = Where(),
    size: int = 128,
    every: int = 1,
    min_likelihood: float = 0.6,
) -> None:
    """Make a video set from your own footage of one subject and poses of others.

    Then: kp masks OUT MASKS, and kp train laptop --data.videos OUT --data.prior own --data.masks MASKS

    Args:
        videos: Videos of any size and format, or folders of videos or of pictures.
        poses: 2-D poses of other subjects, as kp fit takes them.
        out: Folder for the video set.
        skeleton: Name or .json file of the skeleton; empty takes the shipped one with these joints, else the edges in
            the file.
        size: Pixels of a side of the clips.
        every: Take every so many frames: neighbours of fast cameras are nearly equal.
        min_likelihood: Joints of a lower likelihood or score in the file of poses count as not marked.
    """
    from kp.own_video.fit import find_poses, open_poses, pretrain_steps_for
    from kp.own_video.prepare import prepare as write
    from kp.video import find_videos

    if size < 16 or every < 1:
        raise KpError(f"--size {size} --every {every}: a side has at least 16 pixels, and every is at least 1")
    films = find_videos(list(videos))
    pose_file, chosen = open_poses(find_poses(poses), skeleton, min_likelihood)
    clips, count = write(films, pose_file, chosen, out, size, subject.crop, subject.boxes, every)
    own, steps = out / "skeleton.json", pretrain_steps_for(len(chosen))
    extra = f" --data.skeleton {own if own.is_file() else chosen.name}" if chosen.name != "body" else ""
    extra += f" --optimizer.pretrain-steps {steps}" if steps > pretrain_steps_for(1) else ""
    print(f"{out}: {clips} clips, {count} poses of the skeleton '{chosen.name}'")
    print(f"next:    kp masks {out} {out}_masks")
    print(
        f"then:    kp train laptop --out runs/own --data.videos {out} --data.prior own --data.masks {out}_masks{extra}"
    )


def masks(
    videos: Positional[Path],
    out: Positional[Path],
    by: By = "motion",
    size: int = 64,
    steps: int = 600,
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Make masks for a video set that has none.

    By motion: what moves before a static camera, whatever it is. By person: what two networks take for a person that
    stands, sits or lies anywhere in the frame; they were trained on masks and joints that people marked. By selfie: the
    first of them alone, for people within two metres of the camera; it was trained on masks only. By brightness: what
    is brighter or darker than all around it, such as an insect in an arena. All but motion need OpenCV: pip install -e
    '.[video]'.

    Then train with them: kp train laptop --data.videos VIDEOS --data.masks OUT

    Args:
        videos: Folder of the video set.
        out: Folder for the masks, <split>/<clip>.mp4.
        by: What tells the subject from its background.
        size: By motion: resolution at which the subject is found.
        steps: By motion: steps of the training of the network that finds it.
        seed: By motion: its seed.
        device: Where to compute: cpu, cuda, cuda:1, ...
    """
    from kp.own_video.masks.write import write_masks

    print(f"wrote {write_masks(videos, out, by, size, steps, seed, device)} masks to {out}/")
