"""A prediction: people, each with a 3D motion, and the scenes that they were seen in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from selflift.lift.camera_assumptions import Camera
from selflift.lift.result import LiftedPoses
from selflift.skeleton import Skeleton

# Share of a scene's poses whose lowest joint may lie below the ground.
BELOW_GROUND = 0.05


@dataclass(frozen=True)
class LiftedPerson:
    """One person in one video, or in unrelated images.

    Attributes:
        name: Unique in the prediction.
        scene: Index of the scene.
        frame: ``(T,)`` int64, rising.
        fps: Rate at which ``frame`` counts.
        poses: ``(T,)`` of them; NaN where neither lifted nor interpolated.
        interpolated: ``(T,)``: the pose was not seen, but lies between the ones before and after.
    """

    name: str
    scene: int
    frame: np.ndarray
    fps: float
    poses: LiftedPoses
    interpolated: np.ndarray

    @property
    def there(self) -> np.ndarray:
        """Mask of the rows with a 3D pose, ``(T,)``."""
        return np.asarray(self.poses.lifted | self.interpolated)

    @property
    def step(self) -> int:
        """The smallest distance of two frames that follow each other; 1 if there is one frame."""
        return int(np.diff(self.frame).min()) if len(self.frame) > 1 else 1

    @cached_property
    def absolute_m(self) -> np.ndarray:
        """Places in the levelled frame, whose origin is the camera, ``(T, J, 3)``."""
        return np.asarray(self.poses.levelled_m + self.poses.levelled_root_m[..., None, :])


@dataclass(frozen=True)
class Scene:
    """A video by one camera, or unrelated images of one camera.

    Attributes:
        name: Its name.
        camera: The camera.
        ground_m: Height of the ground in the levelled frame; NaN if nobody was lifted.
    """

    name: str
    camera: Camera
    ground_m: float


@dataclass(frozen=True)
class Prediction:
    """Everybody that was lifted from a file of keypoints.

    Attributes:
        people: The people.
        scenes: Where they were seen.
        skeleton: The layout of the poses.
        stature_m: The body height at which they are in metres.
        lifter: The lifter's name.
        lifter_sha256: Checksum of its weights.
        smooth_s: Standard deviation of the smoothing; 0 for none.
        assumed: The assumptions, a sentence each.
        notes: Remarks and warnings, a sentence each.
    """

    people: list[LiftedPerson]
    scenes: list[Scene]
    skeleton: Skeleton
    stature_m: float
    lifter: str
    lifter_sha256: str
    smooth_s: float
    assumed: tuple[str, ...]
    notes: tuple[str, ...]


def ground_height(people: list[LiftedPerson]) -> float:
    """Return the height of the ground in the levelled frame, below nearly all feet.

    NaN without any pose.
    """
    lowest = [person.absolute_m[person.there, :, 1].min(-1) for person in people]
    heights = np.concatenate(lowest) if lowest else np.zeros(0)
    return float(np.quantile(heights, BELOW_GROUND)) if len(heights) else float("nan")
