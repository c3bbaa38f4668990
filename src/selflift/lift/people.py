"""What a prediction is: people, each with the 3D motion that was found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from selflift.lift import Camera, LiftedPoses
from selflift.skeleton import Skeleton

# Share of a scene's poses whose lowest joint may lie below the ground.
BELOW_GROUND = 0.05


@dataclass(frozen=True)
class LiftedPerson:
    """One person in one video, or in unrelated images.

    Attributes:
        name: Unique in the prediction.
        scene: Index of the video and camera.
        frame: ``(T,)`` int64, rising.
        fps: Rate at which ``frame`` counts.
        poses: ``(T,)`` of them; NaN where neither lifted nor interpolated.
        interpolated: ``(T,)``: the pose lies between those before and after, and wasn't seen.
    """

    name: str
    scene: int
    frame: np.ndarray
    fps: float
    poses: LiftedPoses
    interpolated: np.ndarray

    @property
    def there(self) -> np.ndarray:
        """Whether there is a 3D pose, ``(T,)``."""
        return np.asarray(self.poses.lifted | self.interpolated)

    @property
    def step(self) -> int:
        """The usual distance of two frames."""
        return usual_step(self.frame)

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
        ground_m: Height of the ground in the levelled frame: nearly all feet are above it. NaN if
            nobody was lifted.
    """

    name: str
    camera: Camera
    ground_m: float


@dataclass(frozen=True)
class Prediction:
    """All that came of a file of keypoints.

    Attributes:
        people: Everybody.
        scenes: Where they were seen.
        skeleton: The layout of the poses.
        stature_m: The body height at which they are in metres.
        lifter: The lifter's name.
        lifter_sha256: Checksum of its weights.
        smooth_s: Standard deviation of the smoothing; 0 for none.
        assumed: What was assumed, a sentence each.
        notes: What one should know, a sentence each.
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


def usual_step(frame: np.ndarray) -> int:
    """The smallest distance of two frames that follow each other; 1 if there is one frame."""
    return int(np.diff(frame).min()) if len(frame) > 1 else 1


def ground_height(people: list[LiftedPerson]) -> float:
    """Height of the ground that people stand on, in the levelled frame; NaN without any pose."""
    lowest = [person.absolute_m[person.there, :, 1].min(-1) for person in people]
    heights = np.concatenate(lowest) if lowest else np.zeros(0)
    return float(np.quantile(heights, BELOW_GROUND)) if len(heights) else float("nan")
