r"""Assessment of a lifter without 3D truth: numbers per pose from 2D alone.

A lifter that is right does well by all of them; one that is wrong does well by some (mirrored in
depth, it is as consistent as before). So they are read together, and they replace no error in
millimetres.

=========================  =====  ==================================================================
key                        unit   what it is, per pose
=========================  =====  ==================================================================
``consistency_3d_pct``     %      mean over joints and random views of ``|Y - Y_hat|``, over the
                                  height of the pose's lifted skeleton
``consistency_2d_pct``     %      the same of ``|x - x_hat|``, taken at the body's depth
``mirror_pct``             %      mean over joints of the distance between the lift of the mirrored
                                  input, mirrored back, and the lift of the input, over the height
``bone_variation_pct``     %      bone lengths over height: standard deviation over mean within
                                  the pose's recording (one clip by one camera), mean over bones
``bone_proportion_pct``    %      bone lengths over height: mean distance from the set's medians
``symmetry_pct``           %      difference of left and right bones, as with labels
``knee_score``             -1..1  +1: knees bend forward, -1: backward; a body mirrored in depth
                                  has the opposite score
``knees_forward_pct``      %      share of forward knees among those bent by 15 degrees or more
``elevation_deg``          deg    how far the camera looks down, by the elevation head
``elevation_spread_deg``   deg    its standard deviation within the recording, whose camera stands
                                  still
=========================  =====  ==================================================================

There is no reprojection error: the lifter moves joints along their rays, so a lifted pose projects
to its own input, and the error is zero by construction whatever the depths are. The mirror test
takes its place. It looks at the bare network, because a lifter that averages a pose with its
mirror image passes by construction too.

For the set there is the mean of each number over the poses that have it, and under
``excluded_{key}`` how many have not; a number that no pose has is left out. Of its own the set has
``knee_score`` (:func:`selflift.geometry.anatomy.knee_score`: bent knees weigh more than straight
ones), ``elevation_std_deg`` over all poses, and ``criterion``, the logarithm of
``bone_variation_pct * consistency_3d_pct``: what chooses the best checkpoint in training, but with
bones compared within a recording instead of a subject.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selflift.data.pose_set import PoseSet
from selflift.data.rays import confidences_of, rays_of
from selflift.data.streams import streams
from selflift.evaluate import plausibility
from selflift.evaluate.lifted_set import check_legs, check_liftable
from selflift.evaluate.structure import bone_asymmetry
from selflift.geometry.anatomy import knee_score
from selflift.geometry.bodies import skeleton_height
from selflift.geometry.normalise import Normaliser
from selflift.method.cycle import run_cycle
from selflift.method.views import ViewSampler
from selflift.models import Lifter

MEANING = {
    "consistency_3d_pct": "second lift of random views against the first, in 3D, % of height",
    "consistency_2d_pct": "input against itself after the cycle, in the image, % of height",
    "mirror_pct": "lift of the mirrored input against the mirrored lift, % of height",
    "bone_variation_pct": "variation of each bone's relative length within a recording",
    "bone_proportion_pct": "distance of the bones' relative lengths from the set's medians",
    "symmetry_pct": "difference between left and right bones",
    "knee_score": "which way knees bend: +1 forward, -1 backward (mirrored in depth)",
    "knees_forward_pct": "share of the bent knees that bend forward",
    "elevation_deg": "predicted elevation: how far the camera looks down",
    "elevation_spread_deg": "standard deviation of the predicted elevation within a recording",
    "elevation_std_deg": "standard deviation of the predicted elevation over the set",
    "criterion": "log(bone_variation_pct * consistency_3d_pct)",
}


@dataclass(frozen=True)
class Unlabelled:
    """Numbers of a lifter from 2D alone; see the module for the keys.

    Attributes:
        per_pose: Key -> ``(N,)`` float64, in the set's order; NaN where a pose has none.
        per_set: Key -> one number for the set.
        meaning: Key -> what the number is; for every key that is there.
    """

    per_pose: dict[str, np.ndarray]
    per_set: dict[str, float]
    meaning: dict[str, str]


@torch.no_grad()
def assess(
    lifter: Lifter,
    normaliser: Normaliser,
    poses: PoseSet,
    batch_size: int = 8192,
    views: int = 4,
    seed: int = 0,
    device: torch.device | str = "cpu",
    sampler: ViewSampler | None = None,
) -> Unlabelled:
    """Judge a lifter on 2D poses alone.

    Args:
        lifter: The lifter; it is moved to the device and put in evaluation mode.
        normaliser: The one that was fitted to the lifter's training set.
        poses: Poses, with cameras if the normaliser turns the camera; complete ones unless the
            lifter takes confidences. Their 3D truth, if there is any, is not used.
        batch_size: Poses lifted at once.
        views: Random views per pose.
        seed: Of the views; the same seed gives the same numbers on the same device with the same
            batch size.
        device: Where the lifter runs.
        sampler: How views are drawn. ``None``: around the predicted elevations (``learned``) with
            an elevation head, else the paper's.

    Returns:
        The numbers, per pose and for the set.

    Raises:
        ValueError: If the set is empty, of another skeleton, incomplete or without needed cameras;
            if a number is out of range; if a lifted pose is not finite or has no height.
    """
    check_liftable(lifter, poses, batch_size)
    check_legs(poses.skeleton)
    if views < 1:
        raise ValueError(f"views: expected at least 1, got {views}")
    lifter = lifter.to(device).eval()
    if sampler is None:
        sampler = ViewSampler("paper" if lifter.elevation_head is None else "learned")
    skeleton = poses.skeleton
    confidence = confidences_of(poses, lifter.confidences)
    x = normaliser.apply(rays_of(poses, normaliser.centre), skeleton).x
    # In random order, because the sampler may take the mean elevation of a batch for that of all.
    random = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=random)
    view_seed = int(torch.randint(2**31, (), generator=random))
    generator = torch.Generator(device).manual_seed(view_seed)
    X = x.new_empty(*x.shape[:2], 3)
    keys = ["consistency_3d_pct", "consistency_2d_pct", "mirror_pct"]
    keys += [] if lifter.elevation_head is None else ["elevation_deg"]
    found = {key: x.new_empty(len(x)) for key in keys}
    for rows in order.tensor_split(math.ceil(len(x) / batch_size)):
        part = x[rows].to(device)
        given = None if confidence is None else confidence[rows].to(device)
        there = torch.ones_like(part[..., 0]) if given is None else (given > 0).to(part)
        in_3d, in_2d = torch.zeros(2, len(part), device=device, dtype=x.dtype)
        for _ in range(views):
            out = run_cycle(lifter, part, sampler, generator, given)
            in_3d += (out.Y - out.Y_hat).norm(dim=-1).mean(-1) / views
            gap = lifter.depth * (out.x - out.x_hat).norm(dim=-1)
            in_2d += (gap * there).sum(-1) / there.sum(-1) / views
        height = skeleton_height(out.X, skeleton)
        _check_lifted(out.X, height)
        percent = 100 / height
        found["consistency_3d_pct"][rows] = (percent * in_3d).cpu()
        found["consistency_2d_pct"][rows] = (percent * in_2d).cpu()
        found["mirror_pct"][rows] = (percent * _mirror_gap(lifter, part, given)).cpu()
        if out.elevation_rad is not None:
            found["elevation_deg"][rows] = torch.rad2deg(out.elevation_rad).cpu()
        X[rows] = out.X.cpu()
    recording = streams(poses, np.arange(len(poses)))
    lengths = plausibility.proportions(X, skeleton).double().numpy()
    bends = plausibility.knees(X, skeleton)
    per_pose = {key: value.double().numpy() for key, value in found.items()}
    per_pose |= {
        "bone_variation_pct": plausibility.variation(lengths, recording),
        "bone_proportion_pct": plausibility.deviation_from_median(lengths),
        "symmetry_pct": bone_asymmetry(X, skeleton).double().numpy(),
        "knee_score": bends.score.double().numpy(),
        "knees_forward_pct": bends.forward_pct.double().numpy(),
    }
    if "elevation_deg" in per_pose:
        elevation = per_pose["elevation_deg"]
        per_pose["elevation_spread_deg"] = plausibility.spread(elevation, recording)
    per_pose = {key: per_pose[key] for key in MEANING if key in per_pose}
    per_set = _of_set(per_pose)
    if "knee_score" in per_set:
        per_set["knee_score"] = knee_score(X, skeleton)
    present = {*per_pose, *per_set}
    meaning = {key: text for key, text in MEANING.items() if key in present}
    meaning |= {f"excluded_{key}": f"poses without {key}" for key in per_pose}
    return Unlabelled(per_pose, per_set, meaning)


def _check_lifted(X: Float[Tensor, "N J 3"], height: Float[Tensor, "N"]) -> None:
    bad = ~(torch.isfinite(X).all(-1).all(-1) & (height > 0))
    if bool(bad.any()):
        raise ValueError(
            f"lifter: expected finite poses with a height, got {int(bad.sum())} of {len(X)} in a "
            "batch that are not; use a checkpoint from before training diverged"
        )


def _mirror_gap(
    lifter: Lifter, x: Float[Tensor, "N J 2"], confidence: Float[Tensor, "N J"] | None
) -> Float[Tensor, "N"]:
    """Mean distance between the lift of the mirror image, mirrored back, and the lift."""
    order, root = list(lifter.skeleton.mirror), lifter.skeleton.root
    averaging = lifter.mirror_average
    lifter.mirror_average = False
    try:
        X = lifter.lift(x, confidence)
        seen = None if confidence is None else confidence[:, order]
        mirrored = lifter.lift(x[:, order] * x.new_tensor([-1.0, 1.0]), seen)
    finally:
        lifter.mirror_average = averaging
    back = mirrored[:, order] * x.new_tensor([-1.0, 1.0, 1.0])
    gap = (X - X[:, root, None]) - (back - back[:, root, None])
    return gap.norm(dim=-1).mean(-1)


def _of_set(per_pose: dict[str, np.ndarray]) -> dict[str, float]:
    per_set = {}
    for key, values in per_pose.items():
        there = np.isfinite(values)
        if there.any():
            per_set[key] = float(values[there].mean())
        per_set[f"excluded_{key}"] = float((~there).sum())
    if "elevation_deg" in per_set:
        per_set["elevation_std_deg"] = float(per_pose["elevation_deg"].std())
    product = per_set.get("bone_variation_pct", 0.0) * per_set["consistency_3d_pct"]
    if product > 0:
        per_set["criterion"] = math.log(product)
    return per_set
