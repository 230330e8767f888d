"""kp: named keypoints from unlabelled videos and unpaired poses.

A re-implementation of *Self-supervised Learning of Interpretable Keypoints from Unlabelled
Videos* (Jakab, Gupta, Bilen, Vedaldi, CVPR 2020). An image goes through the package in the
order of these modules: ``clips`` and ``poses`` → ``networks`` (Φ, η, Ψ, D) and ``render`` (β) →
``model`` (the losses) → ``train`` → ``predict`` → ``metrics``, ``leakage`` and ``figures``.
"""

__version__ = "0.3.0"


def load(name):
    """The published model called ``name`` (people, faces), or that of a run folder or .safetensors file: :func:`kp.weights.load`."""
    from kp.weights import load as open_model  # torch only when it is needed

    return open_model(name)
