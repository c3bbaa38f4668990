r"""Lifting of a user's keypoints: pixels in, 3D poses in metres out.

    pixels -> the lifter's layout -> rays -> centre, scale -> lift -> the camera's axes -> metres

The lifter is unaware of metres. A body is scaled to a given stature by the length of its bones from
the ankles to the head; how far away it stands follows from its size in the image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import Tensor

from selflift.config import PredictConfig
from selflift.device import choose_device
from selflift.geometry.camera import Calibration, pixels_to_rays, project_pixels
from selflift.geometry.normalise import Normaliser
from selflift.lift.camera_assumptions import Camera
from selflift.lift.keypoint_arrays import in_layout
from selflift.lift.loaded_model import load_model
from selflift.lift.metres import FEWEST_JOINTS, NEAREST, can_be_lifted, in_metres
from selflift.lift.result import LiftedPoses
from selflift.models import Lifter
from selflift.skeleton import Skeleton

# On a CPU a layer's output should still lie in the cache when the next layer reads it.
BATCH_ON_CPU, BATCH_ON_GPU = 1024, 65536


class PoseLifter:
    """A lifter with everything needed to go from pixels to metres.

    Args:
        lifter: The lifter.
        normaliser: The one fitted to its training set.
        name: What to call it.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        precision: ``"float32"``, ``"bfloat16"`` or ``"auto"``; see :meth:`Lifter.for_inference`.
        metadata: Its checkpoint's metadata.

    Attributes:
        lifter: The lifter, as trained.
        normaliser: The normaliser.
        name: Its name.
        metadata: The metadata of a checkpoint of it, plain values.
    """

    def __init__(
        self,
        lifter: Lifter,
        normaliser: Normaliser,
        name: str = "lifter",
        device: str = "auto",
        precision: str = "auto",
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        if not lifter.skeleton.legs:
            raise ValueError(
                f"lifter '{name}': expected a skeleton with two legs, whose length gives the "
                f"person's size, got '{lifter.skeleton.name}'; use selflift.models.Lifter, which "
                "lifts normalised poses"
            )
        if len(normaliser.shares) not in (0, lifter.skeleton.num_joints):
            raise ValueError(
                f"lifter '{name}': expected a normaliser with {lifter.skeleton.num_joints} shares, "
                f"one per joint, or none, got {len(normaliser.shares)}; use the one that was "
                "fitted to its training set"
            )
        self.name = name
        self.lifter = lifter.to(choose_device(device)).eval()
        self.normaliser = normaliser
        own = {"lifter": lifter.arguments, "normaliser": asdict(normaliser)}
        self.metadata: dict[str, Any] = {**(metadata or {}), **own}
        self._fast = self.lifter.for_inference(precision)
        self._device = choose_device(device)

    @classmethod
    def from_checkpoint(
        cls,
        path: str | PathLike[str],
        device: str = "auto",
        precision: str = "auto",
        mirror_average: bool | None = None,
    ) -> PoseLifter:
        """Load bundled weights by name, a checkpoint file, or a run folder's best checkpoint.

        Args:
            path: The name, file or folder.
            device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
            precision: ``"float32"``, ``"bfloat16"`` or ``"auto"``.
            mirror_average: Whether to average each pose with its mirror image; ``None``: as
                trained.

        Raises:
            ValueError: If it is missing or unusable.
        """
        model = load_model(path, mirror_average)
        return cls(model.lifter, model.normaliser, str(path), device, precision, model.metadata)

    @property
    def skeleton(self) -> Skeleton:
        """The layout of the poses."""
        return self.lifter.skeleton

    def __repr__(self) -> str:
        takes = "incomplete poses too" if self.lifter.confidences else "complete poses only"
        return f"PoseLifter('{self.name}', {self.skeleton.name}, {takes})"

    def __call__(
        self,
        keypoints: np.ndarray | Tensor,
        skeleton: str | Skeleton | None = None,
        confidence: np.ndarray | Tensor | None = None,
        *,
        size_px: Sequence[float] | None = None,
        f_px: float | Sequence[float] | None = None,
        c_px: Sequence[float] | None = None,
        camera: Camera | None = None,
        same_camera: bool = True,
        stature_m: float = PredictConfig.stature_m,
        batch_size: int | None = None,
        on_batch: Callable[[int], None] | None = None,
    ) -> LiftedPoses:
        """Lift keypoints.

        Args:
            keypoints: Pixels, x right, y down, ``(..., K, 2)``; NaN where a joint is missing.
            skeleton: Their layout, or its name; the lifter's own if ``None``.
            confidence: ``(..., K)``, in [0, 1]; 0 marks a missing joint.
            size_px: Width and height of the image. What is unknown of the camera is assumed, see
                :meth:`Camera.of`; the result lists the assumptions.
            f_px: Focal length in pixels.
            c_px: Principal point; the image's middle if ``None``.
            camera: All of the camera at once, instead of these three.
            same_camera: Whether one camera that keeps still saw all poses, so that they have one
                vertical. Otherwise every pose has the vertical that the lifter sees in it, which is
                far less certain.
            stature_m: The body height at which results are in metres.
            batch_size: Poses lifted at once; ``None``: as many as suit the device.
            on_batch: Called after every batch with its number of poses; what it raises ends the
                lifting.

        Raises:
            ValueError: If shapes, layouts or numbers don't fit, or the keypoints are no pixels.
        """
        check_stature_and_batch(stature_m, batch_size)
        if batch_size is None:
            batch_size = BATCH_ON_GPU if self._device.type == "cuda" else BATCH_ON_CPU
        points, sure = in_layout(self.skeleton, keypoints, skeleton, confidence)
        leading = points.shape[:-2]
        points, sure = points.reshape(-1, *points.shape[-2:]), sure.reshape(-1, sure.shape[-1])
        if camera is None:
            camera = Camera.of(points, size_px, f_px, c_px)
        elif size_px is not None or f_px is not None or c_px is not None:
            raise ValueError(
                "camera: expected either a camera or size_px, f_px and c_px, got both; leave one "
                "of them out"
            )
        lifted = can_be_lifted(
            torch.from_numpy(points), torch.from_numpy(sure), self.lifter
        ).numpy()
        out = self._lift(points, sure, lifted, camera, stature_m, batch_size, on_batch)
        up, elevation = out.pop("up"), out.pop("elevation_rad")
        mean = _mean_direction(up[lifted])
        own_vertical = self.lifter.elevation_head is not None and not same_camera
        up[~lifted if own_vertical else slice(None)] = mean
        result = LiftedPoses(
            **out,
            up=up,
            confidence=sure,
            filled=(sure <= 0) & lifted[:, None],
            lifted=lifted,
            elevation_rad=elevation if self.lifter.elevation_head is not None else None,
            skeleton=self.skeleton,
            stature_m=stature_m,
            camera=camera,
            notes=self._notes(points, lifted),
        )
        return result[np.arange(len(lifted)).reshape(leading)]

    def _notes(self, points: np.ndarray, lifted: np.ndarray) -> tuple[str, ...]:
        notes = []
        if len(lifted) and not lifted.all():
            needed = (
                f"at least {FEWEST_JOINTS} joints, the root among them"
                if self.lifter.confidences
                else "all joints (the lifter takes complete poses only)"
            )
            notes.append(
                f"{int((~lifted).sum()):,} of {len(lifted):,} poses could not be lifted, which "
                f"takes {needed}; they are NaN"
            )
        rise = points[:, self.skeleton.head, 1] - points[:, self.skeleton.root, 1]
        rise = rise[np.isfinite(rise)]
        below = float((rise > 0).mean()) if len(rise) else 0.0
        if below > 0.5:
            notes.append(
                f"the head is below the hips in {below:.0%} of the poses: is y down, as in images? "
                "If not, give height - y"
            )
        return tuple(notes)

    @torch.inference_mode()
    def _lift(
        self,
        points: np.ndarray,
        sure: np.ndarray,
        lifted: np.ndarray,
        camera: Camera,
        stature_m: float,
        batch_size: int,
        on_batch: Callable[[int], None] | None,
    ) -> dict[str, np.ndarray]:
        """Lift the poses that can be; the results are NaN elsewhere."""
        # Pixels without distortion keep their precision in float32; a lens takes float64 to undo.
        intrinsics = camera.intrinsics()
        joints, index = self.skeleton.num_joints, np.flatnonzero(lifted)
        shapes = {
            "X_m": (joints, 3), "root_m": (3,), "up": (3,), "pose_2d": (joints, 2),
            "elevation_rad": (),
        }  # fmt: skip
        out = {
            name: np.full((len(points), *shape), np.nan, np.float32)
            for name, shape in shapes.items()
        }
        for start in range(0, len(index), batch_size):
            rows = index[start : start + batch_size]
            x_px = torch.from_numpy(points[rows])
            part = self._lift_some(x_px, torch.from_numpy(sure[rows]), intrinsics, stature_m)
            for name, found in part.items():
                out[name][rows] = found.numpy()
            if on_batch is not None:
                on_batch(len(x_px))
        return out

    def _lift_some(
        self, x_px: Tensor, sure: Tensor, intrinsics: Calibration, stature_m: float
    ) -> dict[str, Tensor]:
        rays = pixels_to_rays(x_px.double(), intrinsics).float()
        seen = self.normaliser.apply(rays, self.skeleton)
        lifted = self._fast.lift_with_elevation(seen.x.to(self._device), sure.to(self._device))
        x, d = lifted.x.cpu(), lifted.d.cpu()
        X = in_metres(x, d, rays, seen, self.lifter, self.normaliser, stature_m)
        root_m = X[:, self.skeleton.root]
        own = intrinsics.map(Tensor.float)
        # A joint that was filled in may lie beside the camera.
        ahead = torch.maximum(X[..., 2:], NEAREST * X[:, self.skeleton.root, None, 2:])
        filled = project_pixels(torch.cat([X[..., :2], ahead], dim=-1), own)
        pose_2d = torch.where((sure > 0)[..., None], x_px, filled)
        elevation = lifted.elevation_rad
        tilt = torch.zeros(len(X)) if elevation is None else elevation.cpu()
        vertical = torch.stack([torch.zeros_like(tilt), -tilt.cos(), -tilt.sin()], dim=-1)
        up = seen.to_camera(vertical[:, None])[:, 0]
        if elevation is None:
            up = torch.tensor([0.0, -1.0, 0.0]).expand(len(X), 3)
        X_m = X - root_m[:, None]
        return {"X_m": X_m, "root_m": root_m, "up": up, "pose_2d": pose_2d, "elevation_rad": tilt}


def check_stature_and_batch(stature_m: float, batch_size: int | None) -> None:
    """Validate two numbers that users give.

    Raises:
        ValueError: If one is out of range.
    """
    if not 0.1 <= stature_m <= 10:
        raise ValueError(
            f"stature_m: expected a body height in metres, as in 1.70, got {stature_m}"
        )
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")


def _mean_direction(directions: np.ndarray) -> np.ndarray:
    if len(directions) == 0:
        return np.array([0, -1, 0], np.float32)
    mean = directions.mean(0, dtype=np.float64)
    return (mean / np.linalg.norm(mean)).astype(np.float32)
