"""All settings of a run: one frozen tree that is the configuration, the command line and the saved record.

Presets are the functions at the end; their docstrings say what they cost and what they reach.
"""

import dataclasses
import json
from dataclasses import field
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from kp.errors import KpError
from kp.validation import Channels, Count, Number, Rate, Share, Weight, parse, validated

Profile = Literal["exponential", "gaussian"]
Precision = Literal["auto", "float32", "bfloat16"]
Tree = TypeVar("Tree", bound="Settings")


class Settings:
    """What all parts of the tree can do."""

    def but(self: Tree, **changes: object) -> Tree:
        """A copy with some fields changed: ``config.but(seed=3, **{"optimizer.steps": 600})``. KpError for unknown
        fields.
        """
        nested: dict[str, dict] = {}
        for name, value in changes.items():
            field_name, _, rest = name.partition(".")
            if field_name not in (known := [f.name for f in dataclasses.fields(self)]):
                raise KpError(f"{type(self).__name__} has no field '{field_name}'; it has: {', '.join(known)}")
            if rest:
                nested.setdefault(field_name, {})[rest] = value
        parts = {name: getattr(self, name).but(**inner) for name, inner in nested.items()}
        return dataclasses.replace(self, **parts, **{name: value for name, value in changes.items() if "." not in name})


@validated
class Data(Settings):
    """What is learnt from."""

    videos: Path = Path("data/people")
    """Folder of the video set (see kp/datasets/clips.py)."""
    prior: str = "matched"
    """Pose prior: the name of a file in <videos>/priors, without .npz."""
    prior_size: Count = 0
    """Keep only so many poses of the prior, drawn by the seed (0 = all)."""
    second_prior: str = ""
    """Mix poses of this other prior in ("" = none)."""
    second_share: Share = 0.5
    """Share of the mixture that comes from the second prior."""
    vary_prior: Literal["no", "recombine", "limbs", "augment", "weigh"] = "no"
    """What D is shown: the prior as it is; limbs of different poses together; such limbs turned at their joints; limbs
    of different poses together, and the whole turned, scaled, shifted and mirrored; or each pose as often as it fits a
    frame's silhouette best (subjects on black only)."""
    source: str = ""
    """Use only clips of this motion source ("" = all)."""
    background: bool = False
    """Keep the background instead of blacking out all but the subject."""
    masks: Path | None = None
    """Folder of the masks that show the subject (None: <videos>/masks); ``kp masks`` makes one where there is none."""
    every: Number = 1
    """Keep every so many frames of a video."""
    memory: Annotated[float, Field(gt=0)] = 1.0
    """Gigabytes that frames may take.

    Of a larger set, as much as fits is held at a time; at every step two clips go and two come.
    """
    augment: bool = False
    """Mirror frame pairs half of the time and change their colours, alike in both frames."""
    move: bool = False
    """Turn, scale and shift both frames of a pair, each on its own, and mirror half of the pairs; likewise the prior's
    poses
    (kp/geometry.py). For heads that hardly move: then only the pose says where things are."""
    ordered: bool = False
    """Draw as the official code does: of a pair the second frame comes later than the first, and a pose is drawn from a
    source first (rare sources count as much as frequent ones) and then from its poses. Not measured."""
    size: Annotated[int, Field(ge=1, le=1024)] = 64
    """Training resolution, pixels a side."""
    skeleton: str = "body"
    """Topology: body, human36m, face, or a .json file that declares one (data/hand/hand.json); a run keeps what the
    file says."""


@validated
class Network(Settings):
    """Sizes of Φ, η, Ψ, D and the look of β's drawings."""

    width: Channels = 16
    """Channels of the first stage of Φ and Ψ (the paper: 32)."""
    regressor: Literal["official", "unet"] = "unet"
    """η: the official network, or a small U-shaped one that reads drawings a little better."""
    regressor_width: Channels = 16
    """Channels of the first stage of η (the paper: 32)."""
    discriminator_width: Channels = 32
    """Channels of the first layer of D (the paper: 64)."""
    scales: Annotated[int, Field(ge=1, le=4)] = 2
    """Image sizes at which D looks (the paper: 3)."""
    official_init: bool = False
    """Start from N(0, 0.02) as the official code does, instead of PyTorch's default (D always starts so)."""
    sigma: Annotated[float, Field(gt=0, le=2)] = 0.2
    """Width of the drawn lines: the picture falls to 1/e at distance σ²."""
    profile: Profile = "exponential"
    """Cross-section of the drawn lines."""
    limbs: Literal["one", "sides"] = "one"
    """Draw the whole skeleton in one channel as the paper does, or the middle, the left and the right side in three."""
    halvings: Annotated[int, Field(ge=1, le=3)] = 3
    """Convolutions of stride 2 in D: its patches are 70, 34 or 16 pixels wide with 3 (the paper), 2 or 1."""


@validated
class Method(Settings):
    """The method's choices, each of which the ablations switch."""

    decoder_reads: Literal["keypoints", "skeleton"] = "keypoints"
    """What Ψ sees of the pose: the redrawn keypoints β(η(y)), or y itself (no bottleneck: appearance leaks)."""
    second_frame: bool = True
    """Whether Ψ sees another frame of the video."""
    finetune_regressor: bool = True
    """Whether η goes on learning beside Φ."""
    flip_tolerant: bool = False
    """Whether η may exchange left and right of a whole pose: its loss takes the nearer of the two readings."""


@validated
class Loss(Settings):
    """Weights of the losses."""

    perceptual: Weight = 10.0
    """Reconstruction, on Ψ and, through β and η, Φ."""
    adversarial: Weight = 10.0
    """Likeness of Φ's skeleton images to the prior's, on Φ (0 switches D off)."""
    regressor_real: Weight = 0.9
    """η on drawn prior poses, whose keypoints are known."""
    regressor_fake: Weight = 0.1
    """η on Φ's skeleton images: redrawing them must give them back."""
    motion: Weight = 0.0
    """Extra weight, in the reconstruction, of pixels that change between the two frames (0 = all pixels count alike).
    """
    features: Literal["raw", "pixels", "random", "lite0", "vgg16", "vgg19"] = "pixels"
    """Γ: pixels, a pyramid of pixels, a VGG with random weights, or a network that learnt ImageNet's labels
    (kp/method/features.py).
    """
    weights: Path | None = None
    """File of that network's weights; vgg19 needs one, for lite0 and vgg16 None means those of the installed package.
    """
    relu: bool = False
    """Take VGG's features after the ReLU, and apply the ReLUs; the official code has none."""


@validated
class Optimizer(Settings):
    """Adam, batches, learning rates and their course."""

    steps: Count = 1000
    """Steps of the main training."""
    batch: Number = 16
    """Frame pairs, and prior poses, a step."""
    lr: Rate = 1e-3
    """Peak learning rate of Φ and Ψ."""
    lr_discriminator: Rate = 2e-4
    """Learning rate of D."""
    lr_regressor: Rate = 1e-4
    """Learning rate of η beside Φ."""
    schedule: Literal["constant", "one-cycle"] = "one-cycle"
    """Course of the learning rates: constant, or a linear rise over the first tenth and a cosine fall."""
    pretrain_steps: Count = 2000
    """Steps in which η alone first learns to read drawn poses."""
    pretrain_lr: Rate = 2e-3
    """(Peak) learning rate of that."""
    pretrain_schedule: Literal["constant", "one-cycle"] = "one-cycle"
    """Course of that learning rate."""
    pretrain_beta: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Adam's first decay in that (the official code: 0.5); it is 0.5 everywhere else."""
    pretrain_augment: bool = True
    """Whether η learns from more poses than the prior holds: turned, scaled, shifted and mirrored ones."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.99
    """Decay of the running mean of the weights, which predicts (0 = the last weights)."""
    compile: bool = False
    """Compile the networks (torch.compile) before the first step: takes minutes, and on a CPU a C++ compiler; for long
    runs on GPUs.
    """
    precision: Precision = "float32"
    """Arithmetic of the networks. bfloat16 (mixed precision) is faster where the processor computes in it, and ten
    times
    slower where it imitates it; auto takes what is faster. Pictures and points stay float32."""


@validated
class Config(Settings):
    """One run of kp."""

    data: Data = field(default_factory=Data)
    network: Network = field(default_factory=Network)
    method: Method = field(default_factory=Method)
    loss: Loss = field(default_factory=Loss)
    optimizer: Optimizer = field(default_factory=Optimizer)
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of every random choice."""

    def __post_init__(self):
        size, smallest = self.data.size, 32 << (self.network.scales - 1)
        if size % 8 or size < smallest:
            raise KpError(
                f"data.size is {size}; with network.scales {self.network.scales} it must be a multiple of 8 and at "
                f"least {smallest}"
            )
        if self.loss.weights and self.loss.features in ("raw", "pixels", "random"):
            raise KpError(
                f"loss.weights is {self.loss.weights}, but loss.features {self.loss.features} reads no file; choose "
                "lite0, vgg16 or vgg19"
            )


def smoke(videos: Path = Path("data/people")) -> Config:
    """A few tiny steps, to see that everything runs.

    Two seconds of training on two cores; learns nothing (error about 10 %, worse than the mean pose's 8.4 %).
    """
    return Config(
        data=Data(videos=videos, size=32),
        network=Network(width=4, regressor_width=8, discriminator_width=8, scales=1),
        optimizer=Optimizer(steps=12, batch=4, pretrain_steps=30),
    )


def laptop(videos: Path = Path("data/people")) -> Config:
    """64 px on two cores without a GPU.

    Error about 3.0 % of the image size on unseen people (three seeds, in bfloat16, one thread: 3.01 to 3.08 after 640
    CPU seconds; 4 % after 116), where the prior's mean pose has 8.3 %. Records, with seeds and machine, are in
    data/runs/speed/time_to_error.
    """
    return Config(
        data=Data(videos=videos), optimizer=Optimizer(steps=2000, batch=8, pretrain_steps=500, precision="auto")
    )


def study(videos: Path = Path("data/people")) -> Config:
    """The recipe of the records in data/runs/headline: ``laptop`` with batches of 16 for half as many steps, and η
    alone for 2,000 steps.

    It ends where ``laptop`` does (2.96 to 3.09) and gets there later: 4 % after 211 CPU seconds.
    """
    return Config(data=Data(videos=videos), optimizer=Optimizer(precision="auto"))


def paper(videos: Path = Path("data/people")) -> Config:
    """128 px with our recipe and the official sizes; for a GPU.

    One seed, 14,000 steps in 20 minutes on an H200 (12 steps a second): 2.3 % of the image size on unseen people, 2.1 %
    on the way there. On two cores a step takes seconds. The record is in data/runs/paper128.
    """
    return Config(
        data=Data(videos=videos, size=128),
        network=Network(width=32, regressor_width=32, discriminator_width=64, scales=3),
        optimizer=Optimizer(steps=30_000, pretrain_steps=10_000, average=0.999, precision="auto"),
    )


def faithful(videos: Path = Path("data/people")) -> Config:
    """128 px as the official code has it: networks, losses, quirks, optimiser; for a GPU, and slow to learn.

    VGG-19 without ReLUs, each term divided by its running mean; constant rates, no average of the weights, no
    augmentation. Its features need a file that kp does not ship: ``--loss.weights FILE`` (or others: ``--loss.features
    pixels``). The iteration counts are ours: the paper's is not known, its η had 580,000 steps. Not measured at this
    size. At 64 px, with VGG-16 and our η, one run had 2.93 % after 850 steps. Pairs and poses are drawn as the official
    code draws them (``data.ordered``).
    """
    return Config(
        data=Data(videos=videos, size=128, ordered=True),
        network=Network(32, "official", 32, 64, 3, official_init=True),
        loss=Loss(features="vgg19"),
        optimizer=Optimizer(
            steps=300_000,
            lr=2e-4,
            lr_regressor=2e-4,
            schedule="constant",
            pretrain_steps=50_000,
            pretrain_lr=2e-4,
            pretrain_schedule="constant",
            pretrain_beta=0.5,
            pretrain_augment=False,
            average=0.0,
        ),
    )


def faces(videos: Path = Path("data/faces")) -> Config:
    """``study`` for faces: 68 landmarks, thinner lines, photographs' landmarks as the prior, frames moved at random."""
    return of_dataset(study(), "faces", videos)


def flies(videos: Path = Path("data/flies/first")) -> Config:
    """``laptop`` for a fly of data/flies: its film, and the other fly's poses of 24 joints.

    The method stays near the mean pose there, 6 to 7 % of the image size. A network that is taught by cardboard figures
    does better (kp/own_video/reader.py).
    """
    data = Data(videos, "other", background=True, skeleton=str(videos.parent / "fly.json"), augment=True, move=True)
    return laptop().but(data=data, **{"network.sigma": 0.15, "optimizer.pretrain_steps": 3000})


PRESETS = {
    "smoke": smoke,
    "laptop": laptop,
    "study": study,
    "paper": paper,
    "faithful": faithful,
    "faces": faces,
    "flies": flies,
}

DATASETS = {
    "people": ({"videos": Path("data/people")}, {}),
    "circle": ({"videos": Path("data/circle")}, {}),
    "faces": (
        {"videos": Path("data/faces"), "prior": "photographs", "skeleton": "face", "move": True},
        {"sigma": 0.15},
    ),
}
"""What a shipped set changes in a configuration's data and network."""


def of_dataset(config: Config, name: str, videos: Path | None = None) -> Config:
    """The same recipe for another of the shipped sets; ``videos``: where it lies. KpError lists the sets there are."""
    if name not in DATASETS:
        raise KpError(f"unknown dataset '{name}'; use one of: {', '.join(DATASETS)}")
    data, network = DATASETS[name]
    data = data | ({"videos": videos} if videos else {})
    return config.but(
        network=dataclasses.replace(config.network, **network), data=dataclasses.replace(config.data, **data)
    )


def find_preset(name: str):
    """The preset function called ``name``; KpError lists those there are."""
    if name not in PRESETS:
        raise KpError(f"unknown preset '{name}'; use one of: {', '.join(PRESETS)}")
    return PRESETS[name]


def to_json(config: Config) -> str:
    return json.dumps(dataclasses.asdict(config), indent=2, default=Path.as_posix) + "\n"


def from_json(text: str, source: str = "configuration") -> Config:
    """The inverse of :func:`to_json`.

    A field that the record lacks, being older, has its default; KpError, about ``source``, for anything else that is no
    configuration.
    """
    return parse(Config, text, source)
