r"""Whether predicted bodies are built like bodies, one number per pose.

* :func:`bone_length_error`: the lengths of the bones against the true ones.
* :func:`bone_asymmetry`: left limbs against right limbs; needs no truth.
* :func:`facing_correct`: whether the prediction faces the way that the truth does, which a pose
  mirrored in depth never does.

Which way a body faces shows in its nose: it lies on one side of the *torso plane* through the root
and both shoulders (:func:`nose_side`), in front of it for an upright head. Mirroring in depth
exchanges the sides, whatever the direction of the camera.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from selflift.evaluate.metrics import check_scorable
from selflift.geometry.bodies import bone_lengths
from selflift.skeleton import Skeleton

# Sine of the angle between the torso plane and the line from the shoulders to the nose below which
# the nose lies in the plane but for rounding, as in a prediction without depth.
IN_PLANE = 1e-4


def bone_length_error(
    prediction: Float[Tensor, "N J 3"], target: Float[Tensor, "N J 3"], skeleton: Skeleton
) -> Float[Tensor, "N"]:
    """Mean over the bones of ``|length - true length|``.

    Args:
        prediction: Predictions in mm, scaled as the wanted variant says.
        target: Truth in mm.
        skeleton: Their layout.

    Returns:
        Error of each pose in mm.

    Raises:
        ValueError: If there is no pose, a value is NaN or infinite, or a pose has all joints in
            one point.
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
    """On which side of the torso plane the nose lies: the sign of ``(nose - m) . forward``.

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
    """Whether the nose lies on the same side of the torso plane as in the truth.

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
