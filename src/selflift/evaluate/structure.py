r"""Metrics beyond joint positions, one number per pose: build, facing, motion, reprojection.

* :func:`bone_length_error`: the lengths of the bones against the true ones.
* :func:`bone_asymmetry`: left limbs against right limbs; needs no truth.
* :func:`facing_correct`: whether the prediction faces the way that the truth does, which a pose
  mirrored in depth never does.
* :func:`mpjve`: displacements from frame to frame against the true ones.
* :func:`reprojection_error`: distance of the projected prediction from the 2D input.

Which way a body faces shows in its nose: it lies on one side of the *torso plane* through the root
and both shoulders (:func:`nose_side`), in front of it for an upright head. Mirroring in depth
exchanges the sides, whatever the direction of the camera.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from selflift.evaluate.metrics import check_scorable
from selflift.geometry.bodies import bone_lengths
from selflift.geometry.camera import Calibration, project_pixels
from selflift.skeleton import Skeleton

# Sine of the angle between the torso plane and the line from the shoulders to the nose below which
# the nose lies in the plane but for rounding, as in a prediction without depth.
IN_PLANE = 1e-4
# Largest root coordinate instead of 0, as a part of the pose's largest coordinate.
ROOT_ROUNDING = 1e-5


def bone_length_error(
    prediction: Float[Tensor, "N J 3"], target: Float[Tensor, "N J 3"], skeleton: Skeleton
) -> Float[Tensor, "N"]:
    """Mean over the bones of ``|length - true length|``.

    Args:
        prediction: Predictions in mm, scaled by the wanted variant.
        target: Truth in mm.
        skeleton: Their layout.

    Returns:
        Error of each pose in mm.

    Raises:
        ValueError: As :func:`selflift.evaluate.metrics.mpjpe`.
    """
    check_scorable(prediction, target)
    return (bone_lengths(prediction, skeleton) - bone_lengths(target, skeleton)).abs().mean(-1)


def bone_asymmetry(prediction: Float[Tensor, "N J 3"], skeleton: Skeleton) -> Float[Tensor, "N"]:
    """Mean over the pairs of bones of ``|l - r| / ((l + r) / 2)``, in percent.

    Args:
        prediction: Predictions, any unit.
        skeleton: Their layout; bones to a left joint are paired with their mirror images.

    Returns:
        0 for equal sides, 200 at most, for each pose.

    Raises:
        ValueError: As :func:`bone_length_error`, or if the layout has no pair of bones, or both
            bones of a pair have no length.
    """
    check_scorable(prediction, prediction)
    left, right = _bone_pairs(skeleton)
    lengths = bone_lengths(prediction, skeleton)
    l, r = lengths[:, left], lengths[:, right]
    without = (l + r == 0).any(-1)
    if bool(without.any()):
        raise ValueError(
            f"bone_asymmetry: expected bones with a length, got {int(without.sum())} of "
            f"{len(prediction)} poses in which a left bone and its right one have none (first: "
            f"pose {int(without.int().argmax())}); drop such poses"
        )
    return 200 * ((l - r).abs() / (l + r)).mean(-1)


def nose_side(X: Float[Tensor, "N J 3"], skeleton: Skeleton) -> Float[Tensor, "N"]:
    """Side of the torso plane on which the nose lies: the sign of ``(nose - m) . forward``.

    ``m`` is the middle of the shoulders, and ``forward = (left - right shoulder) x (m - root)``.

    Args:
        X: Poses in a right-handed frame (the camera's is), any unit.
        skeleton: A layout with a nose, shoulders and a root in the middle of the hips.

    Returns:
        1 in front, -1 behind, 0 if the nose lies in the plane or there is no such plane.

    Raises:
        ValueError: If the layout lacks one of these.
    """
    nose, left, right = _nose_and_shoulders(skeleton)
    middle = (X[:, left] + X[:, right]) / 2
    forward = torch.linalg.cross(X[:, left] - X[:, right], middle - X[:, skeleton.root])
    offset = X[:, nose] - middle
    along = (offset * forward).sum(-1)
    clear = along.abs() > IN_PLANE * offset.norm(dim=-1) * forward.norm(dim=-1)
    return torch.where(clear, torch.sign(along), torch.zeros_like(along))


def facing_correct(
    prediction: Float[Tensor, "N J 3"], target: Float[Tensor, "N J 3"], skeleton: Skeleton
) -> Float[Tensor, "N"]:
    """Mark poses whose nose lies on the same side of the torso plane as in the truth.

    The truth, not anatomy, says which side is right: heads are thrown back, and where a layout's
    nose is a stand-in close to the neck it often lies behind the shoulders of real bodies. So near
    the plane, errors of a few centimetres already decide the side: compare lifters on one set, and
    read it beside the knee score. A prediction without depth, whose nose lies in the plane, is
    wrong.

    Args:
        prediction: Predictions in the camera's axes, any unit.
        target: Truth in the same axes.
        skeleton: Their layout; see :func:`nose_side`.

    Returns:
        1 or 0 for each pose; NaN, to be counted as excluded, where the true nose lies in the plane.

    Raises:
        ValueError: As :func:`bone_length_error` and :func:`nose_side`.
    """
    check_scorable(prediction, target)
    true_side = nose_side(target, skeleton)
    correct = (nose_side(prediction, skeleton) == true_side).to(prediction.dtype)
    return correct.masked_fill(true_side == 0, torch.nan)


def mpjve(
    prediction: Float[Tensor, "N J 3"],
    target: Float[Tensor, "N J 3"],
    clip_index: Int[Tensor, "N"],
    camera_index: Int[Tensor, "N"],
    frame: Int[Tensor, "N"],
) -> Float[Tensor, "N"]:
    """Mean per-joint velocity error: ``|(P_next - P) - (T_next - T)| / (frames in between)``.

    The next pose is the one of the same clip and camera with the next larger frame number in the
    set. Predictions of single frames jitter, which no position error shows. Where frames were left
    out, it is the mean velocity up to there, in which jitter weighs less: compare sets that are
    thinned alike, and of the same frame rate.

    Differs from VideoPose3D's ``mean_velocity_error``: there all frames of a recording follow each
    other, and a recording is one array; on such sets both are the same number.

    Args:
        prediction: Root-centred predictions in mm, scaled by the wanted variant, in any
            order. A scale of its own for each pose makes them jitter, too.
        target: Root-centred truth in mm, in the same axes.
        clip_index: Which clip each pose is of.
        camera_index: Which camera saw it.
        frame: Its index in the recording.

    Returns:
        Error of each pose in mm per frame, in the given order; NaN, to be counted as excluded, for
        the last pose of a clip and camera.

    Raises:
        ValueError: If there is no pose, a value is NaN or infinite, a pose has all joints in one
            point, or two poses are of the same clip, camera and frame.

    Source: facebookresearch/VideoPose3D, ``common/loss.py``.
    """
    check_scorable(prediction, target)
    order = _lexsort(clip_index, camera_index, frame)
    now, following = order[:-1], order[1:]
    same = (clip_index[now] == clip_index[following]) & (
        camera_index[now] == camera_index[following]
    )
    now, following = now[same], following[same]
    step = frame[following] - frame[now]
    if bool((step == 0).any()):
        first = int(now[step == 0][0])
        raise ValueError(
            "mpjve: expected one pose per frame of a clip and camera, got "
            f"{int((step == 0).sum())} more (first: frame {int(frame[first])} of pose {first}); "
            "give every person's recording a clip of its own"
        )
    drift = prediction - target
    change = (drift[following] - drift[now]).norm(dim=-1).mean(-1)
    error = torch.full_like(prediction[:, 0, 0], torch.nan)
    error[now] = change / step
    return error


def reprojection_error(
    prediction: Float[Tensor, "N J 3"],
    poses_3d: Float[Tensor, "N J 3"],
    poses_2d: Float[Tensor, "N J 2"],
    intrinsics: Calibration,
    root: int = 0,
) -> Float[Tensor, "N"]:
    """Mean distance in the image between the projected prediction and the 2D that was lifted.

    The prediction is put where the true root is and projected by the real camera, lens distortion
    included. So it measures scale and shape against the *input*, detection errors and all; depth
    hardly counts, and a small number says nothing about the 3D error. Place and scale come from the
    truth.

    Args:
        prediction: Root-centred predictions in the camera's axes, mm, scaled by the wanted variant.
        poses_3d: Truth in the camera's frame, not centred, mm.
        poses_2d: The given 2D in pixels; NaN at a missing joint, which is left out of the mean.
        intrinsics: The camera of every pose, tensors of leading shape ``(N,)``.
        root: The joint that predictions are centred on.

    Returns:
        Error of each pose in pixels; NaN, to be counted as excluded, where a joint of the placed
        prediction is not in front of the camera.

    Raises:
        ValueError: If there is no pose, a value is infinite or NaN elsewhere, a pose lacks all of
            its joints or has them in one point, or predictions are not centred on the root.
    """
    check_scorable(prediction, poses_3d)
    missing = torch.isnan(poses_2d).any(-1)
    bad = torch.isinf(poses_2d).any(-1).any(-1) | missing.all(-1)
    if bool(bad.any()):
        raise ValueError(
            f"reprojection_error: expected poses_2d with finite joints, got Inf or no joint at all "
            f"in {int(bad.sum())} of {len(poses_2d)} poses (first: pose "
            f"{int(bad.int().argmax())}); drop such poses"
        )
    off = prediction[:, root].abs().amax(-1)
    if bool((off > ROOT_ROUNDING * prediction.abs().amax((-2, -1))).any()):
        raise ValueError(
            f"reprojection_error: expected predictions centred on joint {root}, got it up to "
            f"{float(off.max()):.4g} mm off the origin; subtract the root, or name it"
        )
    placed = prediction + poses_3d[:, root, None]
    behind = placed[..., 2] <= 0
    ahead = torch.where(behind[..., None], torch.ones_like(placed), placed)
    distance = (project_pixels(ahead, intrinsics) - poses_2d).norm(dim=-1)
    error = distance.masked_fill(missing, 0).sum(-1) / (~missing).sum(-1)
    return error.masked_fill(behind.any(-1), torch.nan)


def _bone_pairs(skeleton: Skeleton) -> tuple[list[int], list[int]]:
    """Places in ``skeleton.bones`` of the left bones and of their mirror images."""
    place = {bone: i for i, bone in enumerate(skeleton.bones)}
    mirror = skeleton.mirror
    pairs = [
        (i, place[mirror[parent], mirror[child]])
        for (parent, child), i in place.items()
        if child in skeleton.left and (mirror[parent], mirror[child]) in place
    ]
    if not pairs:
        raise ValueError(
            f"skeleton '{skeleton.name}': expected bones on the left with counterparts on the "
            "right, got none; name them in Skeleton.left and Skeleton.right"
        )
    return [i for i, _ in pairs], [j for _, j in pairs]


def _nose_and_shoulders(skeleton: Skeleton) -> tuple[int, int, int]:
    parts = skeleton.parts or skeleton.joints
    missing = [part for part in ("Nose", "LShoulder", "RShoulder") if part not in parts]
    if not skeleton.trainable:
        missing.append("a root in the middle of the hips")
    if missing:
        raise ValueError(
            f"skeleton '{skeleton.name}': expected a nose, both shoulders and a root in the middle "
            f"of the hips to tell which way a body faces, got a layout without "
            f"{', '.join(missing)}; leave this metric out"
        )
    return parts.index("Nose"), parts.index("LShoulder"), parts.index("RShoulder")


def _lexsort(*keys: Int[Tensor, "N"]) -> Int[Tensor, "N"]:
    """Order by the first key, equal ones by the second, and so on."""
    order = torch.arange(len(keys[0]), device=keys[0].device)
    for key in reversed(keys):
        order = order[torch.argsort(key[order], stable=True)]
    return order
