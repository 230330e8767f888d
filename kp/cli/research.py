"""Commands of research: ``kp study``, ``kp settings``, ``kp verify``."""

from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from kp.config import find_preset
from kp.errors import KpError


def study(
    settings: Positional[tuple[str, ...]],
    seeds: tuple[int, ...] = (0, 1, 2),
    out: Path = Path("results/study"),
    preset: str = "study",
    steps: int = 300,
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
    workers: int = 1,
    snapshots: tuple[int, ...] = (),
    device: str = "cpu",
) -> None:
    """Train named departures from a preset, several seeds each, and keep a record of every run.

    Skips runs that have a record, goes on with those that were cut off. kp settings lists the names.

    Args:
        settings: Names of settings, such as: full no_discriminator skeleton_alone prior_50.
        seeds: Seeds of each setting.
        out: Folder for the records, <setting>_seed<n>.json.
        preset: Configuration to depart from.
        steps: Steps of the main training of every run; 0 takes the preset's.
        precision: Arithmetic of the networks; auto takes what the device is fastest in, and the record says which.
        workers: Runs to train side by side, each in a process of its own.
        snapshots: Steps at which to save the weights too, in runs/study/<precision>/snapshots; the final ones go to
            runs/study/<precision>/weights.
        device: cpu or cuda.
    """
    from kp.research.study import run_study

    run_study(list(settings), list(seeds), out, preset, steps, precision, workers, snapshots, device)


def settings(preset: str = "study") -> None:
    """List the names that kp study takes, one a line.

    Args:
        preset: Those that make sense with this preset: faces have fewer than people.
    """
    from kp.research.ablations import names_for

    find_preset(preset)
    print("\n".join(names_for(preset)))


def verify(what: Positional[tuple[Path, ...]] = (Path("data/people"),), skeleton: str = "") -> None:
    """Check that video sets are whole, and that records hold.

    Of a set: checksums, then every clip, mask and prior as training reads them. Of a record of kp study: its error on
    test, computed again from its weights where runs/ has them, and which of its inputs have changed since.

    Args:
        what: Folders of video sets; .json files of records.
        skeleton: Name or .json file of a set's skeleton; empty takes the set's own, or the shipped one with its joints.
    """
    for path in what:
        if path.suffix == ".json":
            _verify_record(path)
        else:
            _verify_set(path, skeleton)


def _verify_record(path: Path) -> None:
    from kp.research.recompute import recompute

    check = recompute(path)
    print(f"{path}: " + "\n  ".join(check.lines()))
    if check.computed is not None and not check.holds:
        raise KpError(f"{path}: its number does not come out again; see what changed")


def _verify_set(root: Path, skeleton: str) -> None:
    from tqdm import tqdm

    from kp.datasets.clips import load_clips
    from kp.datasets.priors import load_poses
    from kp.files import read_npz, verify_checksums
    from kp.skeletons import find_skeleton, skeleton_with

    if not (root / "videos").is_dir():
        raise KpError(
            f"{root}: no video set, it has no folder videos/; to look at footage: kp check VIDEOS --poses POSES"
        )
    own = root / "skeleton.json"
    if not (root / "priors/own.npz").is_file():  # sets that kp prepare made have no checksums
        print(f"{verify_checksums(root)} files match SHA256SUMS")
    for split in ("train", "val", "test"):
        if (root / "videos" / split).is_dir():
            clips = load_clips(root, split, 64, background=not (root / "masks").is_dir(), progress=False, memory=0.1)
            frames = sum(map(len, tqdm(clips.frames, desc=f"reading {split} clips", leave=False)))
            print(f"{split:5s} {len(clips):4d} clips, {frames:6d} frames")
    for path in sorted((root / "priors").glob("*.npz")):
        names = [str(n) for n in read_npz(path, ("joint_names",))["joint_names"]]
        chosen = skeleton or (str(own) if own.is_file() else "")
        topology = find_skeleton(chosen) if chosen else skeleton_with(names, path)
        print(f"prior {path.stem}: {len(load_poses(path, topology, 64))} poses of the skeleton '{topology.name}'")
