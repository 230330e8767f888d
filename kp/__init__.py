"""kp: named keypoints from unlabelled videos and unpaired poses.

A re-implementation of *Self-supervised Learning of Interpretable Keypoints from Unlabelled
Videos* (Jakab, Gupta, Bilen, Vedaldi, CVPR 2020). An image goes through the package in the
order of these modules: ``clips`` and ``poses`` → ``networks`` (Φ, η, Ψ, D) and ``render`` (β) →
``model`` (the losses) → ``train`` → ``predict`` → ``metrics``, ``leakage`` and ``figures``.
"""

__version__ = "0.1.0"
