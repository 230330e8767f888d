"""The one training loop: first η alone on drawn poses, then Φ, Ψ, D and η together.

Leaves in the run folder: ``config.json``, ``metrics.jsonl`` (one line every ``LOG_EVERY`` steps)
and ``checkpoint.pt``. Started again on the same folder, it continues to the same bits.
"""

import dataclasses
import json
import math
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from kp import distributed
from kp.config import Config, from_json, to_json
from kp.datasets.clips import Clips, augment_pairs
from kp.datasets.priors import Poses, augment, reflect_some, vary
from kp.datasets.retrieval import weigh_prior
from kp.datasets.sets import open_clips, open_prior
from kp.errors import KpError
from kp.files import alone, atomic_write
from kp.geometry import draw_similarity
from kp.method.checkpoint import check_weights, save_checkpoint
from kp.method.losses import reading_loss
from kp.method.model import Model
from kp.method.step import arithmetic, descend, settle_precision, step
from kp.provenance import commit, data_checksum
from kp.skeletons import embed
from kp.training.diagnostics import regressor_errors, regressor_fault
from kp.training.log import append_metrics, read_metrics
from kp.training.optim import learning_rate
from kp.training.state import State, load_state

LOG_EVERY, SAVE_EVERY, SAVE_SECONDS = 25, 250, 60  # a checkpoint every so many steps, and at least every minute


def batch_on(state: State, tensor: Tensor) -> Tensor:
    return tensor.to(state.device, memory_format=torch.channels_last if tensor.ndim == 4 else torch.contiguous_format)


def pretrain_step(state: State, poses: Poses) -> dict[str, float]:
    """η learns to read drawings of prior poses, augmented by default: ‖η(β(p̄)) − p̄‖²."""
    rates, model = state.config.optimizer, state.model
    sample = poses.sample(rates.batch, state.generator)
    target = augment(sample, model.skeleton, state.generator) if rates.pretrain_augment else sample
    target = batch_on(state, distributed.share(target))
    with arithmetic(rates.precision, state.device.type):
        loss = reading_loss(model, model.regressor(model.draw(target)), target)
    descend(
        state.optimizers["pretrain"],
        loss,
        learning_rate(rates.pretrain_lr, state.pretrain_step, rates.pretrain_steps, rates.pretrain_schedule),
    )
    state.pretrain_step += 1
    return dict(regressor=distributed.mean(loss).item())


def train_step(state: State, clips: Clips, poses: Poses) -> dict[str, float]:
    """Draw frame pairs and poses, and take one step of the method on them (:func:`kp.method.step.step`).

    Every process draws the whole batch and computes its share of it (kp/distributed.py).
    """
    config, model, rates = state.config, state.model, state.config.optimizer
    ordered = config.data.ordered
    pairs = clips.pairs(rates.batch, state.generator, state.step, ordered)
    paired = bool(model.skeleton.mirror_pairs)  # else nothing is mirrored
    if config.data.augment:
        pairs = augment_pairs(pairs, state.generator, mirror=paired)
    drawn = poses.sample(rates.batch, state.generator, ordered)
    sample = vary(drawn, config.data.vary_prior, model.skeleton, state.generator)
    if config.data.move:
        # both frames of a pair, or none
        mirrored = torch.rand(rates.batch, 1, 1, 1, generator=state.generator) < 0.5 * paired
        flipped = (torch.where(mirrored.to(x.device), x.flip(3), x) for x in pairs)
        pairs = tuple(draw_similarity(rates.batch, state.generator).images(x) for x in flipped)
        sample = draw_similarity(rates.batch, state.generator).points(
            reflect_some(sample, model.skeleton, state.generator)
        )
    frame, other, target = (batch_on(state, distributed.share(x)) for x in (*pairs, sample))
    peaks = dict(generator=rates.lr, discriminator=rates.lr_discriminator, regressor=rates.lr_regressor)
    now = {name: learning_rate(peak, state.step, rates.steps, rates.schedule) for name, peak in peaks.items()}

    def exchange(skeleton: Tensor) -> Tensor:
        return distributed.share(state.pool.exchange(distributed.gather(skeleton), state.generator))

    prediction, terms = step(
        model, state.perceptual, state.optimizers, now, exchange, frame, other, target, rates.precision
    )
    state.step += 1
    state.update_average()
    # over the batch: 0 when every image gets one pose
    terms["spread"] = distributed.gather(prediction.keypoints).std(0, correction=0).mean()
    return {name: distributed.mean(term).item() for name, term in terms.items()}


def open_run(config: Config, out: Path, device: torch.device) -> State:
    """The state to continue from: the folder's checkpoint if it has one for this configuration, else a fresh one.

    Precision "auto" becomes what the checkpoint was trained in, or what the device is fastest in. Nothing is written.
    KpError if the folder holds another run, one on other data, or files that are no run's.
    """
    path, used, data = out / "checkpoint.pt", commit(), data_checksum(config.data.videos)
    if not path.exists():
        check_unused(out)
        precision = settle_precision(config.optimizer.precision, str(device))
        state = State(config.but(**{"optimizer.precision": precision}), device)
        state.origin = {"commits": [used], "data": data}
        return state
    state = load_state(path, device)
    if config.optimizer.precision == "auto":
        config = config.but(**{"optimizer.precision": state.config.optimizer.precision})
    if config.but(**{"optimizer.steps": state.config.optimizer.steps}) == state.config and _more_steps(config, state):
        tqdm.write(f"{out}: goes on from step {state.step} to {config.optimizer.steps}")
        state.config = config
    if state.config != config:
        fields = dataclasses.fields(Config)
        changed = [f.name for f in fields if getattr(config, f.name) != getattr(state.config, f.name)]
        raise KpError(
            f"{out}: holds a run with other settings ({', '.join(changed)} differ); choose another --out or delete it"
        )
    if state.origin["data"] not in ("", data):
        raise KpError(
            f"{out}: holds a run on other data than {config.data.videos} holds now; choose another --out or delete it"
        )
    if state.step < config.optimizer.steps or not state.origin["commits"]:
        state.origin["commits"] += [used] if used not in state.origin["commits"] else []
    elif used not in state.origin["commits"]:
        tqdm.write(f"{out}: was trained by kp's code of {', '.join(state.origin['commits'])}; delete it to train anew")
    if not (out / "metrics.jsonl").is_file():
        raise KpError(f"{out / 'metrics.jsonl'}: missing; restore it, or make an empty file of that name")
    return state


def check_unused(out: Path) -> None:
    """KpError if files in ``out`` that a training would write are not those of a run that was cut off early."""
    files = [out / name for name in ("config.json", "metrics.jsonl", "diagnostics.jsonl", "report.html")]
    link = next((path for path in files if path.is_symlink()), None)
    if link:
        raise KpError(f"{link}: is a link to another file, which a training would write; choose another --out")
    present = [path for path in files if path.exists()]
    try:
        if present:
            from_json(files[0].read_text(encoding="utf-8"), str(files[0]))
    except (OSError, UnicodeDecodeError, KpError) as error:
        raise KpError(f"{present[0]}: is no run's of kp; choose another --out, or move it elsewhere") from error


def begin_log(out: Path, state: State) -> None:
    """Write the run's configuration, and leave the lines in its log of steps that the state has taken."""
    path = out / "metrics.jsonl"
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    with atomic_write(out / "config.json") as part:
        part.write_text(to_json(state.config))
    with atomic_write(path) as part:
        part.write_text("".join(line + "\n" for line in lines if _before(line, state)))


def save_state(state: State, out: Path) -> None:
    """Write the run's checkpoint. KpError if weights are no numbers any more; then the one before stays."""
    try:
        for net in (state.model, state.average):
            check_weights(net.state_dict(), out)
    except KpError as error:
        raise KpError(_broken(state, out, "a weight")) from error
    save_checkpoint(state.state_dict(), out / "checkpoint.pt")


def _more_steps(config: Config, state: State) -> bool:
    return config.optimizer.steps > state.config.optimizer.steps


def _before(line: str, state: State) -> bool:
    """Whether a line of metrics.jsonl is of a step that the checkpoint holds; one cut short by a crash is not."""
    try:
        metrics = json.loads(line)
        return metrics["step"] <= (state.pretrain_step if metrics["phase"] == "pretrain" else state.step)
    except (ValueError, TypeError, LookupError):
        return False


def find_device(name: str) -> torch.device:
    """KpError if torch cannot compute there."""
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        why = str(error).splitlines()[0]
        raise KpError(f"device '{name}' cannot be used ({why}); use --device cpu") from error
    return device


def train(
    config: Config,
    out: str | Path,
    clips: Clips | None = None,
    poses: Poses | None = None,
    device: str = "cpu",
    pretrained: Path | None = None,
    start: tuple[Model, nn.Module] | None = None,
    on_step: Callable[[State, Clips, Poses], None] | None = None,
    stop_after: int | None = None,
    strict: bool = False,
) -> State:
    """Train, or continue, the run in folder ``out``; returns its final state.

    clips, poses: loaded from ``config.data`` unless given. pretrained: another run's checkpoint whose
    pre-trained η to start from (same networks), instead of pre-training again. start: a trained model and its η₀ to go
    on from. on_step: called after every step of the main training, with the clips and poses it learns from
    (kp/training/monitor.py looks at them). stop_after: return after that many steps of this call, as if interrupted.
    strict: stop, instead of warning, if the pre-trained η reads poses that it was not taught too badly
    (:func:`kp.training.diagnostics.regressor_fault`).
    Under torchrun all processes train together; the first one writes and calls on_step. KpError for unusable data, an
    unwritable folder, a folder that holds another run, or if a loss is no longer a number: what follows could not be
    trained further.
    """
    config, out = config.but(**{"data.skeleton": embed(config.data.skeleton)}), Path(out)
    place, first = find_device(distributed.start(device)), distributed.rank() == 0
    with alone(out) if first else nullcontext():
        state = open_run(config, out, place)
        distributed.share_batches(state.model)
        distributed.wait()
        poses = open_prior(config.data, config.seed) if poses is None else poses
        if clips is None and config.optimizer.steps:
            clips = open_clips(config.data, "train")
        if pretrained is not None and state.pretrain_step == state.step == 0:
            adopt_regressor(state, pretrained)
        if start is not None and state.pretrain_step == state.step == 0:
            adopt_model(state, *start)
        if first:
            begin_log(out, state)
        distributed.wait()
        take_steps(state, out, clips, poses, on_step, stop_after, strict)
    return state


def take_steps(
    state: State,
    out: Path,
    clips: Clips | None,
    poses: Poses,
    on_step: Callable[[State, Clips, Poses], None] | None,
    stop_after: int | None,
    strict: bool,
) -> None:
    """The loop of :func:`train`: pre-training, then the main training, each from where ``state`` is."""
    config, first = state.config, distributed.rank() == 0
    taught, untaught = poses.split()
    shown = weigh_prior(poses, clips, state.model.skeleton) if config.data.vary_prior == "weigh" and clips else poses
    if clips is not None:
        clips = clips.on(state.device)
    for net in (state.model, state.average, state.first_regressor):
        net.train()
    if config.optimizer.compile:
        for net in (state.model.encoder, state.model.regressor, state.model.decoder, state.model.discriminator):
            net.compile()
    logged = read_metrics(out)
    started, done = time.perf_counter() - (logged[-1]["seconds"] if logged else 0), 0  # a continued run's clock goes on
    saved = time.perf_counter()
    phases = (("pretrain", config.optimizer.pretrain_steps), ("train", config.optimizer.steps))
    for phase, steps in phases:
        counter = "pretrain_step" if phase == "pretrain" else "step"
        bar = tqdm(
            total=steps,
            initial=getattr(state, counter),
            desc=f"{phase:8s}",
            unit="step",
            disable=not first,
            mininterval=1.0 if sys.stderr.isatty() else 5.0,
        )
        if phase == "train" and state.step == 0 and state.pretrain_step and first and done != stop_after:
            report_regressor(state, untaught, strict, out)
        while getattr(state, counter) < steps and done != stop_after:
            terms = pretrain_step(state, taught) if phase == "pretrain" else train_step(state, clips, shown)
            check_finite(terms, state, out)
            number, done = getattr(state, counter), done + 1
            bar.update()
            if number % LOG_EVERY == 0 or number == steps:
                bar.set_postfix({k: f"{v:.3g}" for k, v in terms.items()}, refresh=False)
                if first:
                    append_metrics(
                        out, dict(phase=phase, step=number, seconds=round(time.perf_counter() - started, 2), **terms)
                    )
            if on_step and phase == "train" and first:
                on_step(state, clips, shown)
            if phase == "pretrain" and number == steps:
                state.finish_pretraining()
            if (number % SAVE_EVERY == 0 or number == steps or time.perf_counter() - saved > SAVE_SECONDS) and first:
                save_state(state, out)
                saved = time.perf_counter()
        bar.close()
    if done == stop_after and first:
        save_state(state, out)


def check_finite(terms: dict[str, float], state: State, out: Path) -> None:
    """KpError if a loss is not finite. The checkpoint of run ``out`` stays as it is."""
    broken = [name for name, value in terms.items() if not math.isfinite(value)]
    if broken:
        raise KpError(_broken(state, out, broken[0]))


def _broken(state: State, out: Path, what: str) -> str:
    return (
        f"{out}: training broke in step {state.step or state.pretrain_step}, {what} is not a number any more; begin "
        "anew in another folder with a lower learning rate (--optimizer.lr) or with --optimizer.precision float32"
    )


def report_regressor(state: State, poses: Poses, strict: bool, out: Path) -> None:
    """Say how well η reads poses that it was not taught, and warn if it reads them badly. KpError instead if
    ``strict``.
    """
    error, mean = regressor_errors(state, poses)
    words = f"η: {error:.2f} % off on {len(poses)} poses that it was not taught; the mean pose: {mean:.2f} % off"
    tqdm.write(words, sys.stderr)
    fault = regressor_fault(error, mean, state)
    if fault and strict:
        raise KpError(f"{out}: {fault}")
    if fault:
        tqdm.write(f"warning: {fault}", sys.stderr)


def adopt_regressor(state: State, checkpoint: Path) -> None:
    """Start from the pre-trained η of another run; pre-training then counts as done."""
    other = load_state(checkpoint, state.device)
    if other.pretrain_step < other.config.optimizer.pretrain_steps:
        raise KpError(f"{checkpoint}: its pre-training was interrupted; finish that run first")
    try:
        state.model.regressor.load_state_dict(other.first_regressor.state_dict())
    except RuntimeError as error:
        raise KpError(
            f"{checkpoint}: its η has another size or skeleton; pre-train again or use the same network settings"
        ) from error
    state.pretrain_step = state.config.optimizer.pretrain_steps
    state.finish_pretraining()


def adopt_model(state: State, model: Model, first_regressor: nn.Module) -> None:
    """Start from a trained model's Φ, η, Ψ and its η₀, of the same networks and skeleton; D starts afresh, pre-training
    counts as done.
    """
    for part in ("encoder", "regressor", "decoder"):
        getattr(state.model, part).load_state_dict(getattr(model, part).state_dict())
    state.pretrain_step = state.config.optimizer.pretrain_steps
    state.finish_pretraining()
    state.first_regressor.load_state_dict(first_regressor.state_dict())
