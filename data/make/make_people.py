"""Render a set: ``python data/make/make_people.py people`` or ``circle`` (about seven minutes each on two cores).

Two processes, deterministic by seed. Writes videos/, masks/, clips.csv, priors/ and truth/ below ``--out``; checksums
last.
"""

import argparse
import multiprocessing
from functools import cache
from pathlib import Path

import numpy as np
from motion import recombine, retarget
from people import APPEARANCE, JOINT_NAMES, Body, sample_identity
from raster import render
from room import light_room, paint_room
from sets import SETS, VideoSet
from shot import shoot
from splits import cut, stretches, takes
from store import write_clip, write_prior, write_sums, write_tables
from tqdm import tqdm

SEED = 0
IDENTITIES = {"train": 60, "val": 8, "test": 16, "prior": 24}
FIRST_IDENTITY = {"train": 0, "val": 60, "test": 68, "prior": 84}
POSES_A_WINDOW = 8


@cache
def body(identity: int) -> Body:
    return Body(sample_identity(np.random.default_rng([SEED, 1, identity])))


def film(job: tuple) -> dict:
    """Render clip ``number`` of ``split``; returns its row of truth."""
    videos, out, split, number = job
    rng = np.random.default_rng([SEED, videos.streams[0], FIRST_IDENTITY[split], number])
    identity = FIRST_IDENTITY[split] + number % IDENTITIES[split]
    choices = stretches(split)
    stretch = choices[number % len(choices)]
    motion = cut(stretch, rng)
    person = body(identity)
    shot = shoot(person, *retarget(motion, person), motion.facing(), rng, videos, whole=True)
    room, light = paint_room(shot.camera, rng), light_room(shot.azimuth, rng)
    images, covers = [], []
    for rotation, position in zip(shot.rotation, shot.position, strict=True):
        image, cover = render(person.parts, person.vertices(rotation, position), shot.camera, room, light, videos.size)
        images.append(image)
        covers.append(cover)
    name = f"{number:03d}"
    write_clip(out, split, name, images, covers)
    return dict(
        clip=name,
        split=split,
        source=motion.source,
        take=stretch.take,
        start=stretch.start,
        keypoints=shot.keypoints,
        identity=identity,
        appearance=person.appearance(),
        turned=shot.turned,
        elevation=shot.elevation,
    )


def draw_prior(videos: VideoSet, name: str) -> tuple[list, list]:
    """Poses of clips that nobody filmed, and their sources: same rule, other bodies, cameras and moments.

    ``matched`` draws from the prior stretches of both sources, as often as the videos do.
    ``other`` draws from source B alone, for videos of source A; its few stretches are recombined
    (legs of one, trunk of another) half of the time.
    """
    rng = np.random.default_rng([SEED, videos.streams[1], videos.priors.index(name)])
    filmed = [takes()[s.take].source for s in stretches("train")]
    middle = (videos.size - 1) / 2
    keypoints, sources = [], []
    with tqdm(total=videos.poses, desc=f"prior {name}", unit="pose") as bar:
        while len(keypoints) < videos.poses:
            source = filmed[rng.integers(len(filmed))] if name == "matched" else "deepmimic"
            choices = stretches("prior", source)
            motion = cut(choices[rng.integers(len(choices))], rng)
            if name == "other" and rng.random() < 0.5:
                motion = recombine(motion, cut(choices[rng.integers(len(choices))], rng))
            person = body(FIRST_IDENTITY["prior"] + int(rng.integers(IDENTITIES["prior"])))
            shot = shoot(person, *retarget(motion, person), motion.facing(), rng, videos, whole=False)
            seen = np.flatnonzero(
                (abs(shot.turned) <= videos.turn) & (abs(shot.keypoints - middle) < middle).all((1, 2))
            )
            chosen = rng.permutation(seen)[: min(POSES_A_WINDOW, videos.poses - len(keypoints))]
            keypoints += list(shot.keypoints[chosen])
            sources += [source] * len(chosen)
            bar.update(len(chosen))
    return keypoints, sources


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", choices=SETS)
    parser.add_argument("--out", type=Path, help="default: data/ and the set's name")
    parser.add_argument(
        "--fraction", type=float, default=1.0, help="render only this share of the clips, to try things out"
    )
    args = parser.parse_args()
    videos, out = SETS[args.set], args.out or Path(__file__).parents[1] / args.set
    common = dict(joint_names=np.array(JOINT_NAMES), frame_size=np.array(videos.size))
    jobs = [(videos, out, s, i) for s, n in videos.clips.items() for i in range(round(n * args.fraction))]
    jobs.sort(key=lambda j: (j[2], j[3] % IDENTITIES[j[2]]))  # one person after another: bodies are cached
    with multiprocessing.Pool(2) as pool:
        rows = list(tqdm(pool.imap(film, jobs, chunksize=4), total=len(jobs), desc="clips", unit="clip"))
    write_tables(out, list(videos.clips), rows, ["source", "take", "start"], APPEARANCE, common)
    for name in videos.priors:
        write_prior(out, name, *draw_prior(videos, name), common)
    write_sums(out)


if __name__ == "__main__":
    main()
