"""The public names in use, for mypy --strict: what it cannot follow is not typed."""

from pathlib import Path

import kp


def use_a_model(film: Path) -> float:
    model: kp.Predictor = kp.load("people")
    track: kp.Track = model.track(film, crop="subject")
    track.save(film.with_suffix(".csv"))
    return float(track.confidence.mean())


def make_a_model(films: Path) -> tuple[str, ...]:
    model: kp.Predictor = kp.fit(films, poses="people", out="runs/own", steps=500)
    skeleton: kp.Skeleton = model.skeleton
    return skeleton.joints


def run_the_method() -> float:
    config: kp.Config = kp.config.laptop().but(seed=3, **{"optimizer.steps": 600})
    try:
        return kp.evaluate(kp.train(config, out="runs/mine")).error
    except kp.KpError:
        return float("nan")


VERSION: str = kp.__version__
