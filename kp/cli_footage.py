"""The commands that turn your own footage into something to learn from, or into a model: ``kp check | fit | prepare | masks``."""

from pathlib import Path
from typing import Literal

import tyro

from kp.errors import KpError
from kp.whole import whole


def fit(
    videos: tyro.conf.Positional[tuple[Path, ...]],
    poses: str,
    out: Path,
    skeleton: str = "",
    crop: Literal["", "subject", "frame"] = "",
    boxes: tuple[Path, ...] = (),
    masks: bool = True,
    start: str = "",
    every: int = 1,
    size: int = 64,
    steps: int = 1000,
    student_steps: int = 1000,
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Train a model on ordinary videos of one subject, without labels. Started again, it goes on where it was stopped.

    What it takes: one subject in the picture, a camera that stands still, all seen from much the same side (a drawn skeleton has no left
    and right of its own), and 2-D poses of other subjects. What it does: square clips around the subject, masks from motion, training
    on the subject on black, and a student of that model that needs no masks: RUN/model.safetensors. While it trains, RUN/report.html shows
    whether it learns, with pictures. Then: kp predict RUN VIDEO

    Args:
        videos: Videos (mp4, m4v, mov, avi, mkv, webm; any size), or folders of videos.
        poses: people or faces (the poses that ship with kp), or a file of poses of other subjects: kp's .csv or .npz, DeepLabCut's .csv
            or .h5, COCO's .json, SLEAP's .slp, or motion capture (.bvh), seen by random cameras before the subject.
        out: Folder RUN: video set, masks, checkpoint, report, model.
        skeleton: Name or .json file of the skeleton; empty takes the shipped one with these joints, else the edges in the file.
        crop: Where the subject is, if frames are not square: "subject" finds what moves before a static camera, "frame" takes
            whole frames between black bars.
        boxes: One box track for each video instead: CSV files with the columns frame, x, y, width, height, in pixels.
        masks: Find masks from motion and learn from the subject on black; --no-masks learns from whole frames, which goes less far.
        start: Go on from a published model (people, faces), a run or a .safetensors file with this skeleton; empty starts afresh.
        every: Take every so many frames: neighbours of fast cameras are nearly equal.
        size: Resolution of the model, pixels a side (with --start that of the model).
        steps: Steps of the main training.
        student_steps: Steps of the student's.
        seed: Seed of every random choice.
        device: Where the main training computes: cpu, cuda, cuda:1, ...
    """
    from kp.own_video import Fit, find_poses
    from kp.own_video import fit as run
    from kp.watch import Watch

    if size < 64 or size % 8 or every < 1 or min(steps, student_steps) < 1:
        raise KpError(f"--size {size} --every {every}: a side is a multiple of 8, 64 at least; every and the steps are at least 1")
    absolute = lambda paths: tuple(path.absolute() for path in paths)
    asked = Fit(
        absolute(videos),
        find_poses(poses).absolute(),
        skeleton,
        crop,
        absolute(boxes),
        every,
        start,
        masks,
        size,
        steps=steps,
        student_steps=student_steps,
        seed=seed,
    )
    with Watch(out) as watch:
        run(asked, out, device, on_step=watch)
    print(f"trained: {out / 'model.safetensors'}\nreport:  {out / 'report.html'}\nnext:    kp predict {out} VIDEO")


def masks(
    videos: tyro.conf.Positional[Path],
    out: tyro.conf.Positional[Path],
    size: int = 64,
    steps: int = 600,
    seed: int = 0,
) -> None:
    """Make masks for videos that have none, from motion alone: static camera, moving subject.

    Then train with them: kp train laptop --data.videos VIDEOS --data.masks OUT

    Args:
        videos: Folder of the video set.
        out: Folder for the masks, <split>/<clip>.mp4.
        size: Resolution at which the subject is found.
        steps: Steps of the training of the network that finds it.
        seed: Its seed.
    """
    from kp.foreground import write_masks

    print(f"wrote {write_masks(videos, out, size, steps, seed)} masks to {out}/")


def prepare(
    videos: tyro.conf.Positional[tuple[Path, ...]],
    poses: Path,
    out: Path,
    skeleton: str = "",
    crop: Literal["", "subject", "frame"] = "",
    boxes: tuple[Path, ...] = (),
    size: int = 128,
    every: int = 1,
) -> None:
    """Make a video set from your own footage of one subject and poses of others.

    Then: kp masks OUT MASKS (static camera), and kp train laptop --data.videos OUT --data.prior own --data.masks MASKS

    Args:
        videos: Videos (mp4, m4v, mov, avi, mkv, webm; any size), or folders of videos.
        poses: 2-D poses of other subjects: kp's .csv or .npz, DeepLabCut's .csv or .h5, COCO's .json, SLEAP's .slp, or .bvh.
        out: Folder for the video set.
        skeleton: Name or .json file of the skeleton; empty takes the shipped one with these joints, else the edges in the file.
        crop: Where the subject is, if frames are not square: "subject" finds what moves before a static camera, "frame" takes
            whole frames between black bars.
        boxes: One box track for each video instead: CSV files with the columns frame, x, y, width, height, in pixels.
        size: Pixels of a side of the clips.
        every: Take every so many frames: neighbours of fast cameras are nearly equal.
    """
    from kp.footage import find_videos
    from kp.prepare import prepare as write
    from kp.skeleton import find_skeleton

    if size < 16 or every < 1:
        raise KpError(f"--size {size} --every {every}: a side has at least 16 pixels, and every is at least 1")
    named = find_skeleton(skeleton) if skeleton else None
    clips, count, chosen = write(find_videos(list(videos)), poses, out, named, size, crop, boxes, every)
    own = out / "skeleton.json"
    extra = f" --data.skeleton {own if own.is_file() else chosen.name}" if chosen.name != "body" else ""
    print(f"{out}: {clips} clips, {count} poses of the skeleton '{chosen.name}'")
    print(f"next:    kp masks {out} {out}_masks")
    print(f"then:    kp train --out runs/own laptop --data.videos {out} --data.prior own --data.masks {out}_masks{extra}")


def check(
    videos: tyro.conf.Positional[tuple[Path, ...]] = (Path("data/people"),),
    poses: str = "",
    skeleton: str = "",
    crop: Literal["", "subject", "frame"] = "",
    boxes: tuple[Path, ...] = (),
    every: int = 1,
    size: int = 64,
    out: Path = Path("check.png"),
) -> None:
    """Look at footage and poses before a training; or, without --poses, check that a video set is whole.

    With --poses: what each video holds, what its crops keep, whether subjects and poses agree in size, place, shape and way up, what to
    change if not, and a contact sheet. Takes what kp fit takes. Without: checksums, then every clip, mask and prior as training reads them.

    Args:
        videos: Videos, or folders of videos; without --poses, the folder of a video set.
        poses: people or faces (the poses that ship with kp), or a file of poses, as kp fit takes it.
        skeleton: Name or .json file of the skeleton; empty takes the shipped one with these joints, else the edges in the file.
        crop: Where the subject is, as in kp fit: subject, frame, or empty.
        boxes: One box track for each video instead, as in kp fit.
        every: Take every so many frames, as in kp fit.
        size: Resolution of the model that you mean to train.
        out: Picture for the contact sheet.
    """
    if poses:
        return _check_footage(videos, poses, skeleton, crop, boxes, every, size, out)
    for root in videos:
        _check_set(root, skeleton)


def _check_footage(
    videos: tuple[Path, ...], poses: str, skeleton: str, crop: str, boxes: tuple[Path, ...], every: int, size: int, out: Path
):
    from kp.check import advise, as_table, look_through, sheet
    from kp.figures import close_all, save
    from kp.footage import find_videos
    from kp.own_video import find_poses
    from kp.pose_files import choose_skeleton, read_pose_file
    from kp.skeleton import find_skeleton

    files = find_videos(list(videos))
    if boxes and len(boxes) != len(files):
        raise KpError(f"{len(files)} videos but {len(boxes)} box tracks; give one for each, in the same order")
    if every < 1 or size < 16:
        raise KpError(f"--size {size} --every {every}: a side has at least 16 pixels, and every is at least 1")
    found = read_pose_file(find_poses(poses))
    topology = choose_skeleton(found, find_skeleton(skeleton) if skeleton else None)
    footage = [look_through(path, crop, boxes[i] if boxes else None, every) for i, path in enumerate(files)]
    moving = crop == "subject" or bool(boxes)
    advice = advise(footage, found, topology, size, moving)
    with whole(out) as part:
        save(sheet(footage, found, topology, size), part)
    close_all()
    print("\n".join(as_table(footage, moving)))
    print(f"{found.path.name}: {len(found.keypoints)} poses of the skeleton '{topology.name}', {len(topology)} joints")
    print("\n".join(f"- {words}" for words in advice) or "Nothing amiss was found.")
    print(f"look at: {out}")


def _check_set(root: Path, skeleton: str) -> None:
    from tqdm import tqdm

    from kp.checksums import verify
    from kp.clips import load_clips
    from kp.poses import load_poses, read_npz
    from kp.skeleton import find_skeleton, skeleton_with

    if not (root / "videos").is_dir():
        raise KpError(f"{root}: no video set, it has no folder videos/; to look at footage, give --poses too")
    own = root / "skeleton.json"
    if not (root / "priors/own.npz").is_file():  # sets that kp prepare made have no checksums
        print(f"{verify(root)} files match SHA256SUMS")
    for split in ("train", "val", "test"):
        if (root / "videos" / split).is_dir():
            clips = load_clips(root, split, 64, background=not (root / "masks").is_dir(), progress=False, memory=0.1)
            frames = sum(map(len, tqdm(clips.frames, desc=f"reading {split} clips", leave=False)))
            print(f"{split:5s} {len(clips):4d} clips, {frames:6d} frames")
    for path in sorted((root / "priors").glob("*.npz")):
        names = [str(n) for n in read_npz(path, ("joint_names",))["joint_names"]]
        named = skeleton or (str(own) if own.is_file() else "")
        topology = find_skeleton(named) if named else skeleton_with(names, path)
        print(f"prior {path.stem}: {len(load_poses(path, topology, 64))} poses of the skeleton '{topology.name}'")
