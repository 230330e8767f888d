"""Where the subject is, for footage that has no masks."""

from typing import Literal

By = Literal["motion", "person", "selfie", "brightness"]
"""What tells the subject from its background. "motion": it moves before a static camera. "person": networks that know
people. "selfie": one of them alone, for people within two metres of the camera. "brightness": it is brighter or darker
than all around it."""
