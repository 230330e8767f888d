"""Commands that use a model: ``kp predict``, ``kp repose``, ``kp export``."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from kp.cli.options import Subject, Where, one_each
from kp.errors import KpError, printable

ENDINGS = {
    "csv": ".csv",
    "npz": ".npz",
    "dlc": "DLC_kp.csv",
    "dlc-h5": "DLC_kp.h5",
    "coco": ".coco.json",
    "sleap": ".slp",
}


def predict(
    run: Positional[str],
    inputs: Positional[tuple[Path, ...]],
    subject: Subject = Where(),
    masks: tuple[Path, ...] = (),
    formats: tuple[Literal["csv", "npz", "dlc", "dlc-h5", "coco", "sleap"], ...] = ("csv",),
    out: Path = Path("predictions"),
) -> None:
    """Find the named keypoints in images or videos of one subject.

    Writes for each input its keypoints and their confidence, in pixels of that input (0 = centre of the first pixel); a
    PNG with the poses drawn over up to eight frames and, for a video, an mp4 with all of them. Each frame is read as it
    is and mirrored: keypoints are the mean. Confidence comes from how far readings of the image, mirrored, moved and
    redrawn, lie apart. After Ctrl-C the frames that were read are kept, in files that say how many.

    Args:
        run: Run folder, .safetensors file, or the name of a published model: people, faces, flies, or people_on_film
            (which finds the person by itself, as --crop person does).
        inputs: Images, videos of any size and format, or folders of videos or of pictures; sub-folders are kept.
        masks: One mask image or video for each input, white where the subject is, to black out the background.
        formats: Files for the keypoints: csv (frame,joint,x,y,confidence,time,seen), npz (the same as arrays), dlc
            and dlc-h5 (DeepLabCut's tables), coco
            (JSON), sleap (.slp).
        out: Folder for the results.
    """
    from kp.files import make_folder
    from kp.inference.batch import name_results, summary
    from kp.inference.predictor import Interrupted
    from kp.inference.published import load

    names = name_results(list(inputs))
    endings = [ENDINGS[name] for name in formats] + [".png", ".mp4"]
    targets = [out / f"{name}{ending}" for name in names.values() for ending in endings]
    targets += [subject.save_boxes / f"{name}.csv" for name in names.values()] if subject.save_boxes else []
    if {t.resolve() for t in targets} & {p.resolve() for p in (*names, *subject.boxes, *masks)}:
        raise KpError(f"{out}: a result would take the place of an input; choose another folder with --out")
    if len(set(targets)) < len(targets):
        twice = next(t for t in targets if targets.count(t) > 1)
        raise KpError(
            f"{twice}: two results would be there; rename an input, predict one after the other, or give --save-boxes "
            "a folder of its own"
        )
    boxes, mask_files = subject.box_tracks(len(names)), one_each("masks", masks, len(names))
    predictor = load(run)
    make_folder(out)
    tracks, faults = {}, {}
    for (path, name), box_track, mask in zip(names.items(), boxes, mask_files, strict=True):
        try:
            view = predictor.look(path, subject.crop, box_track, mask)
            if subject.save_boxes and view.track:
                view.track.save(subject.save_boxes / f"{name}.csv", view.stretch)
            track = predictor.track(view, overlay=out / f"{name}.mp4")
            for ending in endings[:-1]:
                track.save(out / f"{name}{ending}")
            tracks[path] = replace(track, glimpses=[])  # pictures would fill the memory
        except Interrupted as stop:
            part = f"{name}_until_{len(stop.track.keypoints)}"
            for ending in endings[:-1]:
                stop.track.save(out / f"{part}{ending}")
            print(f"{printable(str(path))}: stopped; what was found until there is in {out / part}{endings[0]}")
            raise
        except KpError as error:  # the others go on
            if len(names) == 1:
                raise
            faults[path] = error
    lines = [predictor.skeleton.describe_sides(), *summary(tracks)] if tracks else []
    print(*lines, f"wrote the keypoints of {len(tracks)} files to {out}/", sep="\n")
    if faults:
        lines = [f"  {error}" for error in faults.values()]
        sys.exit("\n".join([f"kp: {len(faults)} of {len(names)} files failed:", *lines]))


def repose(
    run: Positional[str],
    pose: Positional[Path],
    person: Positional[Path],
    subject: Subject = Where(),
    masks: tuple[Path, ...] = (),
    out: Path = Path("predictions"),
) -> None:
    """Paint the pose of one film on the person of another.

    Writes <pose>_on_<person>.mp4, in which frame, redrawn skeleton and painting lie side by side, and a PNG with
    moments of it. The published models learnt to paint subjects on black: give masks.

    Args:
        run: Run folder, .safetensors file, or the name of a published model: people, faces, flies.
        pose: Video (or image) that the pose is taken from.
        person: Video (or image) that the appearance is taken from: its middle frame.
        masks: Two files, for pose and for person, white where the subject is.
        out: Folder for the results.
    """
    from kp.inference.published import load
    from kp.inference.repose import write_reposed
    from kp.inference.view import look

    boxes, mask_files = subject.box_tracks(2), one_each("masks", masks, 2)
    predictor = load(run)
    films = zip((pose, person), boxes, mask_files, strict=True)
    views = [look(path, subject.crop, box_track, mask) for path, box_track, mask in films]
    print("wrote {} and {}".format(*write_reposed(predictor, *views, out)))


def export(run: Positional[str], out: Path = Path("onnx")) -> None:
    """Write a model as ONNX files that run without torch.

    predictor.onnx: images (n, 3, s, s) in [-1, 1] → keypoints (n, k, 2), (x, y) in [-1, 1], -1 and 1 at the centres of
    the first and last pixel. painter.onnx: such keypoints, and images of the person → the person in those poses.

    Args:
        run: Run folder, .safetensors file, or the name of a published model: people, faces, flies.
        out: Folder for the two files.
    """
    from kp.inference.onnx import write_onnx
    from kp.inference.published import load

    for path, difference in write_onnx(load(run), out).items():
        print(f"{path}: differs from torch by {difference:.1e} at most")
