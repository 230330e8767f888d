"""Render talking heads: ``python data/make/make_faces.py`` (about eight minutes on two cores). Writes data/faces as
make_people.py does.
"""

import argparse
import multiprocessing
from functools import cache
from pathlib import Path

import numpy as np
from head import APPEARANCE, Head, express, turn
from people import sample_identity
from photographs import sample_photographs
from raster import render
from room import light_room, paint_room
from shot import DRAWN, frame
from store import write_clip, write_prior, write_sums, write_tables
from tqdm import tqdm

SEED, SIZE, FRAMES = 0, 128, 32
CLIPS = {"train": 200, "val": 30, "test": 60}
IDENTITIES = {"train": 50, "val": 10, "test": 20, "prior": 30}
FIRST_IDENTITY = {"train": 0, "val": 50, "test": 60, "prior": 80}
FIELD_OF_VIEW = 20.0  # degrees
POSES, POSES_A_CLIP, DECIMALS = 7_000, 8, 1
OPEN_FACED = ("short01", "short02", "short04", "afro01", "ponytail01", "long01")  # the others cover an eye


@cache
def head(identity: int) -> Head:
    rng = np.random.default_rng([SEED, 6, identity])
    while (person := sample_identity(rng)).hair not in OPEN_FACED:
        pass
    return Head(person, rng)


def act(person: Head, rng: np.random.Generator, frames: int):
    """A head that talks and turns before a camera: (expressions, rotations, positions, camera, keypoints, elevation).

    The camera stands within ±10° of straight ahead. The box of all landmarks of all frames is centred and fills 66–80 %
    of the frame. keypoints (T, 68, 2) in pixel indices of the set's frames.
    """
    expression, turned = express(person.actions, rng, frames), turn(rng, frames)
    rotation, position = person.pose(turned)
    points = person.landmarks(expression, rotation, position)
    azimuth, elevation = rng.uniform(-10, 10), rng.uniform(-5, 10)
    camera = frame(points, azimuth, elevation, FIELD_OF_VIEW, rng.uniform(0.66, 0.8))
    pixels, _ = camera.project(points)
    faces = np.degrees(np.arctan2(-turned[:, 0, 1], turned[:, 1, 1]))  # yaw of the head, from straight ahead
    return expression, rotation, position, camera, pixels / (DRAWN // SIZE) - 0.5, azimuth - faces, azimuth, elevation


def film(job: tuple) -> dict:
    """Render clip ``number`` of ``split``; returns its row of truth."""
    out, split, number = job
    rng = np.random.default_rng([SEED, 7, FIRST_IDENTITY[split], number])
    identity = FIRST_IDENTITY[split] + number % IDENTITIES[split]
    person = head(identity)
    expression, rotation, position, camera, keypoints, turned, azimuth, elevation = act(person, rng, FRAMES)
    room, light = paint_room(camera, rng), light_room(azimuth, rng)
    images, covers = [], []
    for moment in zip(expression, rotation, position, strict=True):
        image, cover = render(person.parts, person.talking(*moment), camera, room, light, SIZE)
        images.append(image)
        covers.append(cover)
    name = f"{number:03d}"
    write_clip(out, split, name, images, covers)
    truth = dict(
        keypoints=keypoints,
        identity=identity,
        appearance=person.appearance(APPEARANCE),
        turned=turned,
        elevation=elevation,
    )
    return dict(clip=name, split=split, source="rendered", **truth)


def draw_matched() -> tuple[list, list]:
    """Landmarks of other heads, moments and cameras, under the same rule."""
    rng, keypoints = np.random.default_rng([SEED, 8]), []
    with tqdm(total=POSES, desc="prior matched", unit="pose") as bar:
        while len(keypoints) < POSES:
            person = head(FIRST_IDENTITY["prior"] + int(rng.integers(IDENTITIES["prior"])))
            points = act(person, rng, FRAMES)[4]
            keypoints += list(points[rng.permutation(FRAMES)[:POSES_A_CLIP]])
            bar.update(POSES_A_CLIP)
    return keypoints[:POSES], ["rendered"] * POSES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "faces")
    parser.add_argument(
        "--fraction", type=float, default=1.0, help="render only this share of the clips, to try things out"
    )
    args = parser.parse_args()
    common = dict(joint_names=np.array([str(i) for i in range(68)]), frame_size=np.array(SIZE))
    jobs = [(args.out, s, i) for s, n in CLIPS.items() for i in range(round(n * args.fraction))]
    jobs.sort(key=lambda j: (j[1], j[2] % IDENTITIES[j[1]]))  # one head after another: they are cached
    with multiprocessing.Pool(2) as pool:
        rows = list(tqdm(pool.imap(film, jobs, chunksize=4), total=len(jobs), desc="clips", unit="clip"))
    write_tables(args.out, list(CLIPS), rows, ["source"], APPEARANCE, common, DECIMALS)
    write_prior(args.out, "matched", *draw_matched(), common, DECIMALS)
    write_prior(
        args.out, "photographs", *sample_photographs(POSES, SIZE, np.random.default_rng([SEED, 9])), common, DECIMALS
    )
    write_sums(args.out)


if __name__ == "__main__":
    main()
