"""environment.yml, pyproject.toml and the pins say the same."""

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = {
    r.name.lower(): r
    for file in ("requirements.txt", "tests/requirements.txt")
    for r in map(Requirement, (ROOT / file).read_text().splitlines())
}


def declared():
    extras = PROJECT["optional-dependencies"]
    named = [line for extra in ("book", "dev", "video", "formats", "onnx", "features") for line in extras[extra]]
    return [Requirement(line) for line in PROJECT["dependencies"] + named]


@pytest.mark.parametrize("requirement", declared(), ids=lambda r: r.name)
def test_every_declared_package_is_pinned_to_an_allowed_version(requirement):
    pin = PINS[requirement.name.lower()]
    (specifier,) = pin.specifier
    assert specifier.operator == "=="
    assert requirement.specifier.contains(specifier.version)


def test_every_pin_is_exact_and_none_needs_a_gpu_or_torchvision():
    assert all(len(p.specifier) == 1 and next(iter(p.specifier)).operator == "==" for p in PINS.values())
    assert not [name for name in PINS if name.startswith(("nvidia", "torchvision", "torchaudio", "triton"))]
    assert str(PINS["torch"].specifier) == "==2.13.0"


def test_conda_users_get_the_same():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert conda == ["python=3.11", "pip"]
    assert pip == {"pip": ["-r requirements.txt", "-e ."]}
    assert PROJECT["requires-python"] == ">=3.11"


def test_versions_agree():
    import kp

    assert PROJECT["version"] == kp.__version__
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == kp.__version__
    assert f"## {kp.__version__}" in (ROOT / "CHANGELOG.md").read_text()
