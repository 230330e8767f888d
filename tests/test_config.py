import json
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
import torch

from kp.config import (
    DATASETS,
    PRESETS,
    Config,
    Data,
    Loss,
    Network,
    Optimizer,
    find_preset,
    from_json,
    of_dataset,
    to_json,
)
from kp.errors import KpError
from kp.method.model import Model

presets = pytest.mark.parametrize("make", PRESETS.values(), ids=PRESETS)


@presets
def test_record_round_trip(make):
    config = make(Path("some/videos"))
    again = from_json(to_json(config))
    assert again == config and isinstance(again.data.videos, Path)


@pytest.mark.parametrize(
    "loss",
    [Loss(), Loss(features="lite0"), Loss(features="vgg19", weights=Path("some/vgg19.mat"), relu=True)],
    ids=lambda x: x.features,
)
def test_record_of_the_features(loss):
    text = to_json(Config(loss=loss))
    assert from_json(text) == Config(loss=loss)
    assert json.loads(text)["loss"]["weights"] == (loss.weights and "some/vgg19.mat")


@pytest.mark.parametrize("features", ["raw", "pixels", "random"])
def test_weights_that_nothing_reads(features):
    expected = f"loss.weights is a/vgg.mat, but loss.features {features} reads no file; choose lite0, vgg16 or vgg19"
    with pytest.raises(KpError, match=f"^{re.escape(expected)}$"):
        Config(loss=Loss(features=features, weights=Path("a/vgg.mat")))


@presets
def test_presets_take_the_folder_and_say_what_they_are(make):
    assert make(Path("elsewhere")).data.videos == Path("elsewhere")
    assert make().data.videos in map(Path, ("data/people", "data/faces", "data/flies/first")) and make.__doc__


def test_find_preset():
    assert find_preset("smoke") is PRESETS["smoke"]
    with pytest.raises(
        KpError, match=re.escape("unknown preset 'fast'; use one of: smoke, laptop, study, paper, faithful, faces")
    ):
        find_preset("fast")


@pytest.mark.parametrize("name", DATASETS)
def test_shipped_sets_are_where_they_are_said_to_be(name):
    config = of_dataset(find_preset("smoke")(), name)
    data, root = config.data, Path(__file__).parents[1] / config.data.videos
    assert data.size == 32 and (root / "priors" / f"{data.prior}.npz").is_file()
    assert of_dataset(config, name, Path("elsewhere")) == replace(config, data=replace(data, videos=Path("elsewhere")))


def test_faces_are_the_study_recipe_with_another_topology():
    assert find_preset("faces")() == of_dataset(find_preset("study")(), "faces")
    assert (
        find_preset("faces")().data.skeleton == "face"
        and of_dataset(find_preset("laptop")(), "people") == find_preset("laptop")()
    )
    with pytest.raises(KpError, match=r"^unknown dataset 'cats'; use one of: people, circle, faces$"):
        of_dataset(find_preset("laptop")(), "cats")


def test_faithful_preset_has_the_official_sizes():
    config = find_preset("faithful")()
    assert config.network == Network(32, "official", 32, 64, 3, True, 0.2, "exponential")
    assert (
        config.loss.perceptual,
        config.loss.adversarial,
        config.loss.regressor_real,
        config.loss.regressor_fake,
    ) == (10, 10, 0.9, 0.1)
    assert config.data.size == 128


def test_settings_are_frozen():
    with pytest.raises(FrozenInstanceError):
        Config().seed = 1


@pytest.mark.parametrize(
    ("size", "scales", "least"),
    [(60, 1, 32), (24, 1, 32), (32, 2, 64), (64, 3, 128)],
    ids=["not of 8", "too small", "two", "three"],
)
def test_sizes_that_do_not_fit(size, scales, least):
    expected = f"data.size is {size}; with network.scales {scales} it must be a multiple of 8 and at least {least}"
    with pytest.raises(KpError, match=re.escape(expected)):
        Config(data=Data(size=size), network=Network(scales=scales, regressor="official"))


@pytest.mark.parametrize("regressor", ["unet", "official"])
@pytest.mark.parametrize("size", [32, 40, 48, 56])
def test_a_size_is_refused_or_runs(size, regressor):
    try:
        config = Config(data=Data(size=size), network=Network(2, regressor, 2, 2, 1))
    except KpError as error:
        assert f"data.size is {size}" in str(error) and size not in (32, 48)
        return
    assert Model(config)(torch.randn(2, 3, size, size)).shape == (2, 17, 2)


@pytest.mark.parametrize("name", ["steps", "pretrain_steps"])
def test_negative_steps(name):
    with pytest.raises(KpError, match=rf"^optimizer\.{name} is -1; it must (not be negative|be at least 0)"):
        Config(optimizer=replace(Optimizer(), **{name: -1}))


def test_zero_steps_are_fine():
    assert Config(optimizer=Optimizer(steps=0, pretrain_steps=0)).optimizer.steps == 0


def test_empty_batches_are_not():
    """0 is not negative: the message must say what is allowed."""
    with pytest.raises(KpError, match=r"^optimizer\.batch is 0; it must be .*\b1\b"):
        Config(optimizer=Optimizer(batch=0))


@pytest.mark.parametrize("average", [1.0, -0.1])
def test_average_out_of_range(average):
    needed = "below 1" if average > 0 else "at least 0"
    with pytest.raises(KpError, match=re.escape(f"optimizer.average is {average}; it must be {needed}")):
        Config(optimizer=Optimizer(average=average))


def test_record_of_a_newer_version():
    record = json.loads(to_json(Config()))
    record["network"]["depth"] = record["network"].pop("width")
    expected = "a.json: has no field 'network.depth'; this kp does not know it: correct the name, or update kp"
    with pytest.raises(KpError, match=f"^{re.escape(expected)}$"):
        from_json(json.dumps(record), "a.json")


def test_record_of_an_older_version():
    record = json.loads(to_json(Config(seed=3)))
    del record["network"]["width"], record["loss"]
    assert from_json(json.dumps(record)) == Config(seed=3)


def test_a_copy_with_changes():
    config = PRESETS["smoke"]()
    changed = config.but(seed=3, **{"optimizer.steps": 600, "optimizer.batch": 2, "data.masks": Path("m")})
    assert (changed.seed, changed.optimizer.steps, changed.optimizer.batch, changed.data.masks) == (
        3,
        600,
        2,
        Path("m"),
    )
    assert changed.but(seed=0, optimizer=config.optimizer, data=config.data) == config and config.seed == 0
    with pytest.raises(
        KpError, match="Config has no field 'speed'; it has: data, network, method, loss, optimizer, seed"
    ):
        config.but(speed=1)
    with pytest.raises(KpError, match="Optimizer has no field 'stpes'; it has: steps, "):
        config.but(**{"optimizer.stpes": 1})
    with pytest.raises(KpError, match=r"data\.every is 0; it must be at least 1"):
        config.but(**{"data.every": 0})


def test_the_front_door_opens_without_torch():
    code = "import sys, kp, kp.config; kp.config.laptop().but(seed=1); kp.KpError, kp.__version__, kp.Config; dir(kp)"
    subprocess.run([sys.executable, "-c", code + "; assert 'torch' not in sys.modules"], check=True)
    code = "import kp; assert all(hasattr(kp, name) for name in kp.__all__) and not hasattr(kp, 'fly')"
    subprocess.run([sys.executable, "-c", code], check=True)
