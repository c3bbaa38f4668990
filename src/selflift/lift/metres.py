r"""Bodies in metres from the lifter's output, in tensor operations alone.

The lifter saw a pose enlarged by ``factor``, as if the body stood at its depth ``c``. Set where its
size in the image puts it, ``c factor`` away, with the depths that it was given, it projects to the
keypoints. One more factor then brings the body to the stated stature.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selflift.geometry.bodies import skeleton_height
from selflift.geometry.camera import backproject
from selflift.geometry.normalise import Normalised, Normaliser
from selflift.models import Lifter
from selflift.skeleton import Skeleton

# Heights as shares of the stature: ankles .039, eyes .936 (Drillis and Contini, 1966); the nose
# lies a little below the eyes.
ANKLE_HEIGHT = 0.039
HEAD_HEIGHT = {"HeadTop": 1.0, "Head": 0.936, "Nose": 0.915}
# With fewer, left and right, front and back can't be distinguished.
FEWEST_JOINTS = 6
# The nearest that a joint comes to the camera, as a share of the root's distance.
NEAREST = 0.01


def can_be_lifted(
    x_px: Float[Tensor, "batch J 2"], confidence: Float[Tensor, "batch J"], lifter: Lifter
) -> Bool[Tensor, "batch"]:
    """Return whether the root and every joint (``confidences``: enough of them) were seen.

    Args:
        x_px: Keypoints.
        confidence: 0 marks a missing joint, whose keypoint is ignored.
        lifter: The lifter.
    """
    present = confidence > 0
    joints = lifter.skeleton.num_joints
    enough = FEWEST_JOINTS if lifter.confidences else joints
    furthest = torch.where(present[..., None], x_px, -torch.inf).amax(-2)
    extent = furthest - torch.where(present[..., None], x_px, torch.inf).amin(-2)
    # All joints in one point are no person.
    return present[:, lifter.skeleton.root] & (present.sum(-1) >= enough) & (extent > 0).any(-1)


def in_metres(
    x: Float[Tensor, "batch J 2"],
    d: Float[Tensor, "batch J"],
    rays: Float[Tensor, "batch J 2"],
    seen: Normalised,
    lifter: Lifter,
    normaliser: Normaliser,
    stature_m: float | Float[Tensor, ""],
) -> Float[Tensor, "batch J 3"]:
    """Scale and place bodies in the camera's axes, in metres.

    Args:
        x: The 2D positions that were lifted.
        d: Their depth offsets.
        rays: The keypoints in the normalised plane.
        seen: The same as the lifter saw them.
        lifter: The lifter.
        normaliser: The one that made ``seen``.
        stature_m: The body height.

    Returns:
        The bodies, ``(B, J, 3)``; NaN, which marks what can't be lifted, for one without a height.
    """
    skeleton = lifter.skeleton
    away = lifter.depth * seen.factor[:, None]
    X = backproject(x / seen.factor[:, None, None], torch.maximum(away + d, NEAREST * away))
    height = skeleton_height(X, skeleton)
    metres = stature_m * height_share(skeleton) / torch.where(height > 0, height, torch.nan)
    X = seen.to_camera(X * metres[:, None, None])
    if normaliser.centre == "translate":
        # It was centred by a shift in the image: the root is to lie on its own ray again.
        root = slice(skeleton.root, skeleton.root + 1)
        ray = torch.cat([rays[:, root], torch.ones_like(rays[:, root, :1])], dim=-1)
        X = X + (X[:, root, 2:] * ray - X[:, root])
    return X


def height_share(skeleton: Skeleton) -> float:
    """Return the share of the stature between the ankles and the head's joint."""
    head = skeleton.head
    part = skeleton.parts[head] if skeleton.parts else skeleton.joints[head]
    return HEAD_HEIGHT.get(part, 1.0) - ANKLE_HEIGHT
