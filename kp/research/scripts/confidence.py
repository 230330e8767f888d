"""Does the confidence of ``kp predict`` rank right joints before wrong ones, where images are unlike the training set?

``python -m kp.research.scripts.confidence`` fits its weights on validation people in rooms, as they are and made unlike
the training set, writes them to kp/models/<model>.json, and measures the ranking on test people made unlike it with
other random choices: results/confidence/<model>.json. Which cues are weighed was decided on validation people, too: the
record says what the ranking there loses without each.
"""

from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
import tyro
from torch import Tensor

from kp.evaluation.evaluate import load_test
from kp.geometry import joint_errors
from kp.inference.confidence import CLOSE, CUES, Curve, confidence, film_cues, fit_weights, still_cues
from kp.inference.published import MODELS, load
from kp.provenance import write_record

BINS = 10


def coloured(frames: Tensor, chance: torch.Generator) -> Tensor:
    """Clothes and walls of other colours."""
    mix = torch.eye(3) * (0.5 + torch.rand(3, 1, generator=chance)) + 0.9 * (torch.rand(3, 3, generator=chance) - 0.5)
    return torch.einsum("ij,tjhw->tihw", mix, (frames + 1) / 2).clamp(0, 1) * 2 - 1


def lit(frames: Tensor, chance: torch.Generator) -> Tensor:
    """Light from one side, over- or underexposed, with noise."""
    slope = torch.linspace(-1, 1, frames.shape[-1]) * (torch.rand(1, generator=chance) - 0.5) * 1.6
    power = 2 ** (3 * (torch.rand(1, generator=chance) - 0.5))
    light = (((frames + 1) / 2) ** power * (1 + slope)).clamp(0, 1)
    return (light + 0.06 * torch.randn(light.shape, generator=chance)).clamp(0, 1) * 2 - 1


def blurred(frames: Tensor, chance: torch.Generator) -> Tensor:
    """Out of focus: a mean over 3, 5 or 7 pixels."""
    reach = 1 + int(torch.randint(3, (1,), generator=chance))
    return F.avg_pool2d(F.pad(frames, [reach] * 4, mode="replicate"), 2 * reach + 1, 1)


def hidden(frames: Tensor, chance: torch.Generator) -> Tensor:
    """Something of one colour stands before the subject."""
    size, (a, b, c, d) = frames.shape[-1], torch.rand(4, generator=chance).tolist()
    width, height = (int(size * (0.2 + 0.3 * share)) for share in (a, b))
    left, top = int((size - width) * c), int(size * 0.2 + max(0.0, size * 0.7 - height) * d)
    frames = frames.clone()
    frames[:, :, top : top + height, left : left + width] = torch.rand(3, 1, 1, generator=chance) * 2 - 1
    return frames


def cut_off(frames: Tensor, chance: torch.Generator) -> Tensor:
    """One side of the square lies outside the picture."""
    width = int(frames.shape[-1] * (0.2 + 0.25 * torch.rand(1, generator=chance)))
    frames = frames.clone().rot90(turns := int(torch.randint(4, (1,), generator=chance)), (2, 3))
    frames[..., :width] = -1
    return frames.rot90(-turns, (2, 3))


UNLIKE = {
    "as they are": lambda frames, _: frames,
    "other colours": coloured,
    "other light": lit,
    "another lens": blurred,
    "faster": lambda frames, _: frames[::3],
    "hidden in part": hidden,
    "cut off": cut_off,
}


def measured(predictor, split: str, seed: int) -> dict[str, list[tuple[Tensor, Tensor, Tensor]]]:
    """Kind → for each clip of a split, in rooms: (cues (t, k, c), keypoints (t, k, 2), errors (t, k) in %)."""
    test = load_test(replace(predictor.model.config.data, background=True), split)
    chance, clips = torch.Generator().manual_seed(seed), {kind: [] for kind in UNLIKE}
    for kind, change in UNLIKE.items():
        for frames, true in zip(test.images, test.keypoints, strict=True):
            keypoints, cues = predictor.readings(change(frames, chance).contiguous())
            true = true[::3] if kind == "faster" else true
            clips[kind].append((cues, keypoints, joint_errors(keypoints, true)))
    return clips


def reliability(sure: Tensor, right: Tensor) -> dict:
    """Joints in tenths of equal number by confidence: mean confidence, share that is right; and the mean gap between
    the two.
    """
    order = sure.argsort()
    rows = [(sure[part].mean().item(), right[part].double().mean().item()) for part in order.chunk(BINS)]
    gap = sum(abs(a - b) for a, b in rows) / len(rows)
    return {"confidence": [a for a, _ in rows], "right": [b for _, b in rows], "gap": gap}


def ranking(sure: Tensor, right: Tensor) -> float:
    """Probability that of two joints, one right and one wrong, the right one has more confidence (area under the ROC
    curve).
    """
    ranks = sure.double().argsort().argsort().double() + 1
    good, bad = right.sum().item(), (~right).sum().item()
    return (ranks[right].sum().item() - good * (good + 1) / 2) / (good * bad)


def weighed(clips: list[tuple[Tensor, Tensor, Tensor]], film: bool) -> tuple[Tensor, Tensor]:
    """(what the curve weighs, whether it is right) of all joints of some clips, as films or as single images."""
    cues = [film_cues(cues, keypoints) if film else still_cues(cues) for cues, keypoints, _ in clips]
    return torch.cat([c.flatten(0, 1) for c in cues]), torch.cat([e.flatten() for *_, e in clips]) <= CLOSE


def without_each(val: dict[str, list[tuple[Tensor, Tensor, Tensor]]], film: bool) -> dict[str, float]:
    """Cue → how much the ranking changes without it, mean over kinds: fitted on half of the clips, ranked on the other
    half, and the other way round. "all" is the ranking with all cues.
    """
    names, count = [*CUES, "jumps"] if film else [*CUES], len(next(iter(val.values())))
    halves = [range(count // 2), range(count // 2, count)]

    def ranked(left_out: str) -> float:
        kept = [i for i, name in enumerate(names) if name != left_out]
        kept += [len(names) + i for i in kept] if film else []
        found = []
        for known, other in (halves, halves[::-1]):
            cues, right = weighed([clips[i] for clips in val.values() for i in known], film)
            constant, *weights = fit_weights(cues[:, kept], right)
            for clips in val.values():
                cues, right = weighed([clips[i] for i in other], film)
                found.append(ranking(constant + cues[:, kept] @ torch.tensor(weights), right))
        return sum(found) / len(found)

    whole = ranked("")
    return {"all": whole} | {name: ranked(name) - whole for name in names}


def judged(clips: list[tuple[Tensor, Tensor, Tensor]], curve: Curve, film: bool) -> tuple[Tensor, Tensor]:
    """(confidence, whether it is right) of all joints of some clips, as films or as single images."""
    sure = torch.cat([confidence(cues, keypoints, curve, film).flatten() for cues, keypoints, _ in clips])
    return sure, torch.cat([errors.flatten() for *_, errors in clips]) <= CLOSE


def main(models: tuple[str, ...] = ("people", "faces"), out: Path = Path("results/confidence")) -> None:
    """Fit and measure.

    Args:
        models: Published models.
        out: Folder for the records.
    """
    for name in models:
        predictor = load(name)
        val = measured(predictor, "val", 0)
        known = [clip for clips in val.values() for clip in clips]
        curve = Curve(*(fit_weights(*weighed(known, film)) for film in (False, True)))
        (MODELS / f"{name}.json").write_text(curve.text() + "\n")
        numbers = {"model": name, "close": CLOSE, "still": curve.still, "film": curve.film}
        numbers["without, val"] = {form: without_each(val, form == "film") for form in ("still", "film")}
        test = measured(predictor, "test", 1)
        test["all"] = [clip for clips in test.values() for clip in clips]
        for kind, clips in test.items():
            for form in ("film", "still"):
                sure, right = judged(clips, curve, form == "film")
                share = {"right_share": right.double().mean().item(), "ranking": ranking(sure, right)}
                numbers[f"{kind}, {form}"] = reliability(sure, right) | share
                passed = (~right & (sure > 0.6)).sum() / (~right).sum()
                numbers[f"{kind}, {form}"]["wrong_above_0.6"] = passed.item()
                print(name, f"{kind}, {form}", {k: round(v, 3) for k, v in share.items()}, f"{passed:.2f}")
        write_record(out / f"{name}.json", numbers)


if __name__ == "__main__":
    tyro.cli(main)
