"""All readers under attack."""

from __future__ import annotations

# Before tests.conftest, which has types checked in whatever is imported after it: users' are not.
import selflift.hub
import selflift.lift.keypoint_input
import selflift.train.trainer  # noqa: F401
from tests.fuzz.binary_formats import BINARY_FORMATS
from tests.fuzz.own_formats import OWN_FORMATS
from tests.fuzz.target import Target
from tests.fuzz.text_configs import TEXT_CONFIGS
from tests.fuzz.text_keypoints import TEXT_KEYPOINTS
from tests.fuzz.text_motion import TEXT_MOTION

TARGETS: tuple[Target, ...] = (
    *OWN_FORMATS, *BINARY_FORMATS, *TEXT_KEYPOINTS, *TEXT_MOTION, *TEXT_CONFIGS
)  # fmt: skip
