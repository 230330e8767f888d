"""The one training loop: first η alone on drawn poses, then Φ, Ψ, D and η together.

Leaves in the run folder: ``config.json``, ``metrics.jsonl`` (one line every ``LOG_EVERY`` steps)
and ``checkpoint.pt``. Started again on the same folder, it continues to the same bits.
"""

import dataclasses
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from kp import parallel
from kp.clips import Clips, augment_pairs
from kp.config import Config, to_json
from kp.datasets import open_clips, open_prior
from kp.errors import KpError
from kp.model import Model, discriminator_loss, generator_loss, reading_loss, regressor_loss, run
from kp.poses import Poses, augment, reflect_some, vary
from kp.record import append_metrics, read_metrics
from kp.retrieval import weigh_prior
from kp.similarity import draw_similarity
from kp.state import State, learning_rate, load_state, save_checkpoint

LOG_EVERY, SAVE_EVERY, SAVE_SECONDS = 25, 250, 60  # a checkpoint every so many steps, and at least every minute


@contextmanager
def frozen(*nets: nn.Module) -> Iterator[None]:
    """Gradients pass through these networks but do not reach their weights."""
    for net in nets:
        net.requires_grad_(False)
    try:
        yield
    finally:
        for net in nets:
            net.requires_grad_(True)


def descend(optimizer: torch.optim.Optimizer, loss: Tensor, lr: float) -> None:
    """One step of Adam with the gradient's norm clipped to 1, separately for each optimiser."""
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    parallel.average_gradients(weights)
    nn.utils.clip_grad_norm_(weights, 1.0)
    optimizer.step()


def batch_on(state: State, tensor: Tensor) -> Tensor:
    return tensor.to(state.device, memory_format=torch.channels_last if tensor.ndim == 4 else torch.contiguous_format)


def arithmetic(precision: str, device: str = "cpu") -> torch.autocast:
    """The context in which networks and losses are computed: mixed precision for "bfloat16". device: its type, cpu or cuda."""
    return torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16")


def pretrain_step(state: State, poses: Poses) -> dict[str, float]:
    """η learns to read drawings of prior poses, augmented by default: ‖η(β(p̄)) − p̄‖²."""
    rates, model = state.config.optimizer, state.model
    sample = poses.sample(rates.batch, state.generator)
    target = augment(sample, model.skeleton, state.generator) if rates.pretrain_augment else sample
    target = batch_on(state, parallel.share(target))
    with arithmetic(rates.precision, state.device.type):
        loss = reading_loss(model, model.regressor(model.draw(target)), target)
    descend(
        state.optimizers["pretrain"],
        loss,
        learning_rate(rates.pretrain_lr, state.pretrain_step, rates.pretrain_steps, rates.pretrain_schedule),
    )
    state.pretrain_step += 1
    return dict(regressor=parallel.mean(loss).item())


def train_step(state: State, clips: Clips, poses: Poses) -> dict[str, float]:
    """Φ and Ψ, then D, then η take one step each, all from the same forward pass.

    Every process draws the whole batch and computes its share of it (kp/parallel.py).
    """
    config, model, optimizers = state.config, state.model, state.optimizers
    rates, weights = config.optimizer, config.loss
    rate = lambda peak: learning_rate(peak, state.step, rates.steps, rates.schedule)
    pairs = clips.pairs(rates.batch, state.generator, state.step)
    if config.data.augment:
        pairs = augment_pairs(pairs, state.generator)
    sample = vary(poses.sample(rates.batch, state.generator), config.data.vary_prior, model.skeleton, state.generator)
    if config.data.move:
        mirrored = torch.rand(rates.batch, 1, 1, 1, generator=state.generator) < 0.5  # both frames of a pair, or none
        flipped = (torch.where(mirrored.to(x.device), x.flip(3), x) for x in pairs)
        pairs = tuple(draw_similarity(rates.batch, state.generator).images(x) for x in flipped)
        sample = draw_similarity(rates.batch, state.generator).points(reflect_some(sample, model.skeleton, state.generator))
    frame, other, target = (batch_on(state, parallel.share(x)) for x in (*pairs, sample))
    drawn = model.draw(target)

    with frozen(model.regressor, model.discriminator):
        with arithmetic(rates.precision, state.device.type):
            made = run(model, frame, other)
            terms = generator_loss(model, state.perceptual, made, frame, other)
        total = sum(getattr(weights, name) * term for name, term in terms.items())
        descend(optimizers["generator"], total, rate(rates.lr))
    if weights.adversarial:
        with arithmetic(rates.precision, state.device.type):
            fake = parallel.share(state.pool.exchange(parallel.gather(made.skeleton), state.generator))
            terms["discriminator"] = discriminator_loss(model, drawn, fake)
        descend(optimizers["discriminator"], terms["discriminator"], rate(rates.lr_discriminator))
    if config.method.finetune_regressor:
        with arithmetic(rates.precision, state.device.type):
            terms["regressor"] = regressor_loss(model, target, drawn, made.skeleton)
        descend(optimizers["regressor"], terms["regressor"], rate(rates.lr_regressor))
    state.step += 1
    state.update_average()
    terms["spread"] = parallel.gather(made.keypoints).std(0, correction=0).mean()  # over the batch: 0 when every image gets one pose
    return {name: parallel.mean(term).item() for name, term in terms.items()}


def open_run(config: Config, out: Path, device: torch.device) -> State:
    """The state to continue from: the folder's checkpoint if it has one for this configuration, else a fresh one."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        writes = parallel.rank() == 0
        if not (out / "checkpoint.pt").exists():
            if writes:
                (out / "config.json").write_text(to_json(config))
                (out / "metrics.jsonl").write_text("")
            return State(config, device)
        state = load_state(out / "checkpoint.pt", device)
        if state.config != config:
            changed = [f.name for f in dataclasses.fields(Config) if getattr(config, f.name) != getattr(state.config, f.name)]
            raise KpError(f"{out}: holds a run with other settings ({', '.join(changed)} differ); choose another --out or delete it")
        kept = [line for line in (out / "metrics.jsonl").read_text(errors="replace").splitlines() if _before(line, state)]
        if writes:
            (out / "metrics.jsonl").write_text("".join(line + "\n" for line in kept))
        return state
    except OSError as error:
        raise KpError(f"{out}: cannot be written ({error.strerror}); choose another folder with --out") from error


def _before(line: str, state: State) -> bool:
    """Whether a line of metrics.jsonl tells of a step that the checkpoint holds; one cut short by a crash does not."""
    try:
        told = json.loads(line)
        return told["step"] <= (state.pretrain_step if told["phase"] == "pretrain" else state.step)
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
    out: Path,
    clips: Clips | None = None,
    poses: Poses | None = None,
    device: str = "cpu",
    pretrained: Path | None = None,
    start: tuple[Model, nn.Module] | None = None,
    on_step: Callable[[State, Clips, Poses], None] | None = None,
    stop_after: int | None = None,
) -> State:
    """Train, or continue, the run in folder ``out``; returns its final state.

    clips, poses: loaded from ``config.data`` unless given. pretrained: another run's checkpoint whose
    pre-trained η to start from (same networks), instead of pre-training again. start: a trained model and its η₀ to go on from.
    on_step: called after every step of the main training, with the clips and poses it learns from (kp/watch.py looks at them).
    stop_after: return after that many steps of this call, as if interrupted. Under torchrun all processes train together; the first
    one writes and calls on_step. KpError for unusable data, an unwritable folder, a folder
    that holds another run, or if a loss is no longer a number: what follows could not be trained further.
    """
    data = config.data
    state, first = open_run(config, out, find_device(parallel.start(device))), parallel.rank() == 0
    parallel.share_batches(state.model)
    parallel.wait()
    if poses is None:
        poses = open_prior(data, config.seed)
    if clips is None and config.optimizer.steps:
        clips = open_clips(data, "train")
    shown = weigh_prior(poses, clips, state.model.skeleton) if data.vary_prior == "weigh" and clips else poses
    if clips is not None:
        clips = clips.on(state.device)
    if pretrained is not None and state.pretrain_step == state.step == 0:
        adopt_regressor(state, pretrained)
    if start is not None and state.pretrain_step == state.step == 0:
        adopt_model(state, *start)
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
        while getattr(state, counter) < steps and done != stop_after:
            terms = pretrain_step(state, poses) if phase == "pretrain" else train_step(state, clips, shown)
            check_finite(terms, state, out)
            step, done = getattr(state, counter), done + 1
            bar.update()
            if step % LOG_EVERY == 0 or step == steps:
                bar.set_postfix({k: f"{v:.3g}" for k, v in terms.items()}, refresh=False)
                if first:
                    append_metrics(out, dict(phase=phase, step=step, seconds=round(time.perf_counter() - started, 2), **terms))
            if on_step and phase == "train" and first:
                on_step(state, clips, shown)
            if phase == "pretrain" and step == steps:
                state.finish_pretraining()
            if (step % SAVE_EVERY == 0 or step == steps or time.perf_counter() - saved > SAVE_SECONDS) and first:
                save_checkpoint(state.state_dict(), out / "checkpoint.pt")
                saved = time.perf_counter()
        bar.close()
    if done == stop_after and first:
        save_checkpoint(state.state_dict(), out / "checkpoint.pt")
    return state


def check_finite(terms: dict[str, float], state: State, out: Path) -> None:
    """KpError if a loss is not finite. The checkpoint of run ``out`` stays as it is."""
    broken = [name for name, value in terms.items() if not math.isfinite(value)]
    if broken:
        raise KpError(
            f"{out}: training broke in step {state.step or state.pretrain_step}, {broken[0]} is not a number any more; begin anew in "
            "another folder with a lower learning rate (--optimizer.lr) or with --optimizer.precision float32"
        )


def adopt_regressor(state: State, checkpoint: Path) -> None:
    """Start from the pre-trained η of another run; pre-training then counts as done."""
    other = load_state(checkpoint, state.device)
    if other.pretrain_step < other.config.optimizer.pretrain_steps:
        raise KpError(f"{checkpoint}: its pre-training was interrupted; finish that run first")
    try:
        state.model.regressor.load_state_dict(other.first_regressor.state_dict())
    except RuntimeError as error:
        raise KpError(f"{checkpoint}: its η has another size or skeleton; pre-train again or use the same network settings") from error
    state.pretrain_step = state.config.optimizer.pretrain_steps
    state.finish_pretraining()


def adopt_model(state: State, model: Model, first_regressor: nn.Module) -> None:
    """Start from a trained model's Φ, η, Ψ and its η₀, of the same networks and skeleton; D starts afresh, pre-training counts as done."""
    for part in ("encoder", "regressor", "decoder"):
        getattr(state.model, part).load_state_dict(getattr(model, part).state_dict())
    state.pretrain_step = state.config.optimizer.pretrain_steps
    state.finish_pretraining()
    state.first_regressor.load_state_dict(first_regressor.state_dict())
