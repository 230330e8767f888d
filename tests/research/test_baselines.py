import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from kp.datasets.clips import to_images
from kp.datasets.priors import Poses
from kp.errors import KpError
from kp.evaluation.truth import load_truth
from kp.geometry import joint_errors
from kp.method.networks import Regressor, UNetRegressor
from kp.research.baselines import (
    Detector,
    Imm,
    gaussian_maps,
    images_at,
    labelled_frames,
    linear_read_out,
    read,
    read_at,
    train_imm,
    train_supervised,
    truth_at,
)
from kp.skeletons import BODY


def random(seed, *shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.8


def poses_of(keypoints):
    return Poses(keypoints, ["none"] * len(keypoints))


ROOT = Path(__file__).parents[2]


@pytest.fixture
def truth(tiny, clips):
    return load_truth(tiny, "train", BODY, 32).of(clips.names).keypoints


def steps(config, count, **changes):
    return replace(config, optimizer=replace(config.optimizer, steps=count, **changes))


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.state_dict().values()])


def test_labelled_frames(clips):
    every = [(c, t) for c in range(3) for t in range(8)]
    assert labelled_frames(clips, 0, 0) == every
    few, more = labelled_frames(clips, 5, 1), labelled_frames(clips, 12, 1)
    assert few == more[:5] and len(set(more)) == 12 and set(more) <= set(every)
    assert labelled_frames(clips, 12, 2) != more and sorted(labelled_frames(clips, 24, 0)) == every


@pytest.mark.parametrize("count", [-1, 25])
def test_more_labels_than_frames(clips, count):
    with pytest.raises(
        KpError, match=re.escape(f"labelled is {count}, but the clips have 24 frames; give 0 (all) to 24")
    ):
        labelled_frames(clips, count, 0)


def test_images_and_truth_of_chosen_frames(clips, truth):
    where = [(2, 7), (0, 1)]
    assert torch.equal(images_at(clips, where), to_images(torch.stack([clips.frames[2][7], clips.frames[0][1]])))
    assert torch.equal(truth_at(truth, where), torch.stack([truth[2, 7], truth[0, 1]]))


def test_read_is_in_eval_mode_and_in_order(clips):
    where = labelled_frames(clips, 0, 0) * 3
    net = Detector(5, 4).train()
    before = weights(net)
    whole = read(net, images_at(clips, where), batch=10)
    assert whole.shape == (72, 5, 2) and torch.equal(weights(net), before)
    torch.testing.assert_close(read_at(net, clips, where), whole)
    torch.testing.assert_close(whole[-1:], net(images_at(clips, where[-1:])).detach())


def test_supervised_training_learns(config, clips, truth):
    """The tiny set is a box that drifts: the best constant answer has 2.15 % error, an untrained network 15.6 %."""
    net = train_supervised(steps(config, 60, batch=8, lr=5e-3), clips, truth, progress=False)
    every = labelled_frames(clips, 0, 0)
    assert joint_errors(read_at(net, clips, every), truth_at(truth, every)).mean() < 1.2


def test_supervised_training_sees_the_chosen_frames_only(config, clips, truth):
    known = set(labelled_frames(clips, 3, config.seed))
    spoilt, noise = truth.clone(), [frames.clone() for frames in clips.frames]
    for c, t in set(labelled_frames(clips, 0, 0)) - known:
        spoilt[c, t], noise[c][t] = float("nan"), 255
    short = steps(config, 4)
    told = weights(train_supervised(short, clips, truth, 3, progress=False))
    assert torch.equal(weights(train_supervised(short, replace(clips, frames=noise), spoilt, 3, progress=False)), told)
    with pytest.raises(KpError, match="broke in step"):
        train_supervised(short, clips, spoilt, progress=False)


def test_supervised_truth_of_other_clips(config, clips, truth):
    expected = "3 clips of [8] frames, the truth has 3 of 7; make them equal"
    with pytest.raises(KpError, match=f"^{re.escape(expected)}$"):
        train_supervised(config, clips, truth[:, :7])


def test_supervised_networks_are_those_of_the_method(config, clips, truth, model):
    net = train_supervised(steps(config, 0), clips, truth, progress=False)

    def shapes(module):
        return [p.shape for p in module.parameters()]

    assert shapes(net) == shapes(model.encoder) + shapes(model.regressor)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_trainings_repeat_and_leave_other_chance_alone(config, clips, truth, precision):
    config = config.but(**{"optimizer.precision": precision})
    before, short = torch.get_rng_state(), steps(config, 2)
    for train in (
        lambda c: train_supervised(c, clips, truth, progress=False),
        lambda c: train_imm(c, clips, 4, progress=False),
    ):
        first, again, other = (weights(train(c)) for c in (short, short, replace(short, seed=1)))
        assert torch.equal(first, again) and not torch.equal(first, other) and first.isfinite().all()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("net", [Regressor(17, 4), UNetRegressor(17, 4), Detector(17, 4)])
def test_positions_have_32_bits_under_autocast(net):
    image = random(0, 2, 3 if isinstance(net, Detector) else 1, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        points = net(image)
    assert points.dtype == torch.float32 and not torch.equal(points, points.bfloat16().float())


def test_gaussian_maps():
    """On 5 × 5 cells, half a unit wide: 1 at the point's own cell, exp(−1/(2·0.75²)) one cell away."""
    maps = gaussian_maps(torch.tensor([[[0.5, -1.0], [0.0, 0.25]]]), 5)
    away = torch.exp(torch.tensor(-1 / (2 * 0.75**2)))
    assert maps.shape == (1, 2, 5, 5) and maps[0, 0, 0, 3] == 1
    torch.testing.assert_close(maps[0, 0, [0, 0, 1, 1], [2, 4, 3, 4]], torch.stack([away, away, away, away**2]))
    torch.testing.assert_close(maps[0, 1, 2], maps[0, 1, 3])


def test_imm_shapes():
    net = Imm(5, 4)
    assert net(random(0, 2, 3, 32, 32), random(1, 2, 3, 32, 32)).shape == (2, 3, 32, 32)
    assert net.detector(random(0, 2, 3, 32, 32)).shape == (2, 5, 2)


def test_only_points_pass():
    """Made to see the same points in every frame, IMM paints the same picture; otherwise it does not."""
    net, frames, other = Imm(5, 4).eval(), random(0, 2, 3, 32, 32), random(1, 1, 3, 32, 32).expand(2, 3, 32, 32)
    with torch.no_grad():
        seen = net(frames, other)
        assert not torch.equal(net.detector(frames)[0], net.detector(frames)[1]) and not torch.equal(seen[0], seen[1])
        net.detector.maps[-1].weight.zero_()
        blind = net(frames, other)
    assert torch.equal(*net.detector(frames)) and torch.equal(*blind)


def test_imm_learns_to_rebuild(config, clips):
    generator = torch.Generator().manual_seed(0)
    frame, other = clips.pairs(16, generator)

    def rebuilt(count):
        return F.mse_loss(
            train_imm(steps(config, count, lr=5e-3), clips, 4, progress=False).train()(frame, other), frame
        ).item()

    assert rebuilt(30) < 0.5 * rebuilt(0)


@pytest.mark.parametrize("count", [200, 12])
def test_the_read_out_recovers_an_affine_map(count):
    """Also from fewer images than numbers, if the points lie on few directions (here 3)."""
    points = (random(0, 300, 3) @ random(1, 3, 20)).view(300, 10, 2) + 0.3
    truth = (points.flatten(1) @ random(2, 20, 34) + random(3, 34)).view(300, 17, 2)
    found = linear_read_out(points[:count], truth[:count], points[200:])
    torch.testing.assert_close(found, truth[200:], rtol=0, atol=1e-4)


def test_the_read_out_finds_nothing_in_noise():
    """Where points tell nothing, the mean pose is the best answer: the ridge is chosen accordingly."""
    points, truth = random(0, 140, 10, 2), random(1, 140, 17, 2) + 0.5
    found = linear_read_out(points[:40], truth[:40], points[40:])
    error = ((found - truth[40:]) ** 2).mean()
    assert error < 1.2 * truth[40:].var(0).mean()


def test_equal_points_give_the_mean_pose():
    truth = random(0, 4, 17, 2)
    torch.testing.assert_close(linear_read_out(torch.zeros(4, 3, 2), truth, torch.ones(1, 3, 2))[0], truth.mean(0))


def test_one_label_is_too_few():
    with pytest.raises(
        KpError, match=re.escape("a linear read-out needs at least 2 labelled images, not 1; label more")
    ):
        linear_read_out(torch.zeros(1, 3, 2), torch.zeros(1, 17, 2), torch.zeros(5, 3, 2))


@pytest.fixture(scope="module")
def command():
    """The benchmark's main, with one core."""
    from kp.research.scripts.peers import main

    return lambda *arguments, **options: main(*arguments, **options, threads=1)


def test_a_record_is_written_once(command, tiny, tmp_path, capsys):
    call = dict(preset="smoke", videos=tiny, steps=2, labelled=(4, 0), points=3, out=tmp_path)
    command("imm", **call)
    few, every = (json.loads((tmp_path / f"imm_{n}_seed0.json").read_text()) for n in ("4", "all"))
    assert (few["labelled"], every["labelled"], few["steps"], few["points"], few["seed"]) == (4, 24, 2, 3, 0)
    assert (
        few["told"] == "4 labelled frames, for the read-out alone; no unpaired poses"
        and few["config"]["optimizer"]["steps"] == 2
    )
    assert few["raw_interval"][0] <= few["raw"] <= few["raw_interval"][1] and few["provenance"]["threads"] == 1
    assert few["parameters"] == sum(p.numel() for p in Detector(3, 4).parameters()) + 7 * 34
    capsys.readouterr()
    command("imm", **call)
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path / f'imm_{n}_seed0.json'}: there already, skipped" for n in ("4", "all")
    ]


def test_records_without_labels(command, tiny, tmp_path, poses):
    for peer in ("nearest_prior", "oracle_nearest_prior"):
        command(peer, preset="smoke", videos=tiny, out=tmp_path)
    bound, found = (
        json.loads((tmp_path / f"{peer}_seed0.json").read_text()) for peer in ("oracle_nearest_prior", "nearest_prior")
    )
    assert 0 < bound["raw"] <= found["raw"] and found["told"] == "unpaired poses; no labels"
    assert (found["steps"], found["minutes"], found["parameters"]) == (0, 0, 0) and "label_free" not in found


def test_supervised_record(command, tiny, tmp_path):
    command(
        "supervised", preset="smoke", videos=tiny, steps=1, labelled=(5,), seed=3, precision="float32", out=tmp_path
    )
    record = json.loads((tmp_path / "supervised_5_seed3.json").read_text())
    assert (record["labelled"], record["precision"], record["config"]["seed"]) == (5, "float32", 3) and record[
        "minutes"
    ] > 0


def test_the_read_out_of_a_run(command, finished, tmp_path):
    out, state = finished
    command("read_out", run=out, labelled=(6,), out=tmp_path)
    record = json.loads((tmp_path / "read_out_6_seed0.json").read_text())
    assert (record["labelled"], record["steps"], record["run"]) == (6, 6, str(out))
    used = sum(p.numel() for net in (state.model.encoder, state.model.regressor) for p in net.parameters())
    assert record["parameters"] == used + 35 * 34


def test_a_run_is_for_the_read_out_only(command, tmp_path):
    expected = "--run names the run folder that read_out reads; give it with read_out and with no other peer"
    for peer, run in (("read_out", None), ("imm", tmp_path)):
        with pytest.raises(KpError, match=f"^{expected}$"):
            command(peer, run=run, out=tmp_path)
