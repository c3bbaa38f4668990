r"""Bodies taken apart and put together again: bones, their lengths, and limbs of other bodies.

A body is the tree of its bones: joint = parent + bone. Limbs in other people's proportions, or the
legs of one pose under the trunk of another, make new bodies that are as plausible as the ones they
come from. Everything here works on root-centred 3D poses of any source, in any unit; nothing is
measured on 3D truth.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from selflift.device import resident
from selflift.geometry.precision import least_size
from selflift.skeleton import Skeleton

# Sine of the angle between shoulders and spine below which they span no frame (half a degree).
LEAST_SINE = 2**-7


def bones_of(X: Float[Tensor, "*batch J 3"], skeleton: Skeleton) -> Float[Tensor, "*batch J 3"]:
    """The bone that leads to each joint from its parent; zero for the root."""
    parents = [p if p >= 0 else j for j, p in enumerate(skeleton.parents)]
    return X - X[..., resident(parents, X), :]


def body_of(bones: Float[Tensor, "*batch J 3"], skeleton: Skeleton) -> Float[Tensor, "*batch J 3"]:
    """The root-centred body that has these bones; the inverse of :func:`bones_of`."""
    # Which bones lie between each joint and the root: a body is a sum, one matrix product.
    chains = resident(_chains(skeleton), bones, bones.dtype)
    return chains.view(skeleton.num_joints, skeleton.num_joints) @ bones


def foreshortened(
    bones: Float[Tensor, "batch J 3"], lengths: Float[Tensor, "batch J"]
) -> Float[Tensor, "batch J 3"]:
    """Bones whose extent in depth fits their length: what the image shows of a bone stays.

    A bone of length ``l`` that spans ``s`` in the image spans ``sqrt(l^2 - s^2)`` in depth, towards
    the camera or away from it (Taylor, CVPR 2000): the lifter says which, and the length is known
    from the person's other poses.

    Args:
        bones: In the camera's axes.
        lengths: How long each should be.
    """
    across = bones[..., :2].square().sum(-1)
    depth = (lengths.square() - across).clamp_min(0).sqrt() * bones[..., 2].sign()
    return torch.cat([bones[..., :2], depth[..., None]], dim=-1)


def rescale_bones(
    bones: Float[Tensor, "batch J 3"],
    std: float,
    skeleton: Skeleton,
    generator: torch.Generator,
) -> Float[Tensor, "batch J 3"]:
    """Bones of other proportions: each length times ``exp(N(0, std))``, left and right alike."""
    factor = torch.empty_like(bones[..., 0]).normal_(0, std, generator=generator)
    # Every pair takes the draw of its first joint.
    first = [min(j, other) for j, other in enumerate(skeleton.mirror)]
    return bones * factor[:, resident(first, factor)].exp()[..., None]


def recombine(
    bones: Float[Tensor, "batch J 3"],
    legs: float,
    arms: float,
    skeleton: Skeleton,
    generator: torch.Generator,
) -> Float[Tensor, "batch J 3"]:
    """Bodies with the legs, or an arm, of another body of the batch.

    Legs are turned about the vertical alone until the hips' line points the way of the new body,
    so that gravity keeps its direction; arms are turned with the frame of shoulders and spine.
    Upright bodies: y is the vertical (see ``views.ViewSampler.level``).

    Differs from the paper: not part of it. LInKs (Hardy and Kim, 2023) joins limbs in 2D.

    Args:
        bones: Of levelled bodies.
        legs: Share of the bodies that get another's legs.
        arms: Share of the left arms, and of the right ones, that come from another.
        skeleton: The layout; a part that it doesn't have stays as it is.
        generator: Source of randomness, on the device of ``bones``.
    """
    result = bones.clone()

    def put(
        joints: list[int], turn: Tensor, donor: Tensor, share: float, can: Tensor | None = None
    ) -> None:
        draw = torch.empty_like(bones[:, 0, 0]).uniform_(generator=generator)
        part = resident(joints, bones)
        new = bones[donor][:, part] @ turn.mT
        chosen = (draw < share if can is None else (draw < share) & can)[:, None, None]
        result[:, part] = torch.where(chosen, new, result[:, part])

    def donors() -> Tensor:
        return torch.randperm(len(bones), generator=generator, device=bones.device)

    lower = legs_below(skeleton)
    if lower and legs > 0:
        (left_hip, _, _), (right_hip, _, _) = skeleton.legs
        hips = body_of(bones, skeleton)
        across = hips[:, left_hip] - hips[:, right_hip]
        donor = donors()
        put(lower, _about_vertical(across[donor], across), donor, legs)
    for shoulders, attached, joints in arms_below(skeleton):
        if arms > 0:
            body = body_of(bones, skeleton)
            frame = _frame(body[:, shoulders[0]] - body[:, shoulders[1]], bones[:, attached])
            donor = donors()
            # Shoulders in one point, or on the line of the spine, turn no arm: it stays.
            can = frame.square().sum((-2, -1)) > 2.5
            put(joints, frame @ frame[donor].mT, donor, arms, can & can[donor])
    return result


def legs_below(skeleton: Skeleton) -> list[int]:
    """The joints of both legs below the hips; empty for a layout without two legs."""
    if len(skeleton.legs) != 2:
        return []
    return sorted(j for hip, _, _ in skeleton.legs for j in _descendants(skeleton, hip))


def arms_below(skeleton: Skeleton) -> list[tuple[tuple[int, int], int, list[int]]]:
    """Each arm: both shoulders, the joint of the spine they hang on, the joints below the shoulder.

    Empty for a layout that does not say which joints are shoulders (``Skeleton.parts``) or whose
    shoulders hang on the root itself, so that there is no spine to turn an arm with.
    """
    parts = list(skeleton.parts or skeleton.joints)
    if "LShoulder" not in parts or "RShoulder" not in parts:
        return []
    left, right = parts.index("LShoulder"), parts.index("RShoulder")
    above = _ancestors(skeleton, right)
    # Collar bones may lie between.
    attached = next(joint for joint in _ancestors(skeleton, left) if joint in above)
    if attached == skeleton.root:
        return []
    below = [_descendants(skeleton, shoulder) for shoulder in (left, right)]
    return [((left, right), attached, joints) for joints in below if joints]


def _ancestors(skeleton: Skeleton, joint: int) -> list[int]:
    """From the parent up to the root."""
    found = []
    while (joint := skeleton.parents[joint]) != -1:
        found.append(joint)
    return found or [skeleton.root]


def _descendants(skeleton: Skeleton, joint: int) -> list[int]:
    found = [joint]
    for _ in skeleton.joints:
        found += [j for j, p in enumerate(skeleton.parents) if p in found and j not in found]
    return sorted(found[1:])


@lru_cache(maxsize=32)
def _chains(skeleton: Skeleton) -> tuple[float, ...]:
    """Row by row, a joint each: 1 for the bones between it and the root."""
    chains = []
    for joint in range(skeleton.num_joints):
        row = [0.0] * skeleton.num_joints
        while joint != skeleton.root:
            row[joint] = 1.0
            joint = skeleton.parents[joint]
        chains += row
    return tuple(chains)


def _about_vertical(a: Tensor, b: Tensor) -> Tensor:
    """Rotations about y that bring the horizontal direction of ``a`` to that of ``b``."""
    angle = torch.atan2(b[:, 2], b[:, 0]) - torch.atan2(a[:, 2], a[:, 0])
    c, s = angle.cos(), angle.sin()
    o, i = torch.zeros_like(c), torch.ones_like(c)
    return torch.stack([c, o, -s, o, i, o, s, o, c], dim=-1).unflatten(-1, (3, 3))


def _frame(across: Tensor, along: Tensor) -> Tensor:
    """Right-handed orthonormal frames, their axes as columns; axes of 0 where there is no frame."""
    least = least_size(across.dtype)
    a = across / across.norm(dim=-1, keepdim=True).clamp_min(least)
    b = along - (along * a).sum(-1, keepdim=True) * a
    # Rounding leaves no reliable direction of a spine that runs along the shoulders.
    size = b.norm(dim=-1, keepdim=True)
    straight = size <= LEAST_SINE * along.norm(dim=-1, keepdim=True)
    b = torch.where(straight, 0.0, b / size.clamp_min(least))
    return torch.stack([a, b, torch.linalg.cross(a, b)], dim=-1)


def bone_lengths(
    X: Float[Tensor, "*batch J D"], skeleton: Skeleton
) -> Float[Tensor, "*batch bones"]:
    """Length of every bone, in the order of ``skeleton.bones`` and the unit of ``X``."""
    parent, child = zip(*skeleton.bones, strict=True)
    return (X[..., resident(child, X), :] - X[..., resident(parent, X), :]).norm(dim=-1)


def skeleton_height(X: Float[Tensor, "*batch J 3"], skeleton: Skeleton) -> Float[Tensor, "*batch"]:
    """Length of the chain of bones from the ankles to the head (legs averaged over the sides).

    It does not change with the pose, so it gives a person's size in any posture. It is about
    8 cm (the height of the ankle) short of the stature.

    Args:
        X: Poses; any unit.
        skeleton: A layout with legs.

    Returns:
        The length of the chain, in the unit of ``X``.

    Raises:
        ValueError: If the layout has no legs.
    """
    if not skeleton.legs:
        raise ValueError(
            f"skeleton '{skeleton.name}': expected legs (hip, knee, ankle) to measure a height "
            "along, got none; name them in Skeleton.legs"
        )
    spine = _chain(skeleton, skeleton.head)
    legs = [joint for _, knee, ankle in skeleton.legs for joint in (knee, ankle)]
    ends = [*spine, *legs]
    starts = [skeleton.parents[joint] for joint in ends]
    # Of these bones alone: the others' lengths would double the time.
    lengths = (X[..., resident(ends, X), :] - X[..., resident(starts, X), :]).norm(dim=-1)
    spines, both = lengths.split([len(spine), len(legs)], dim=-1)
    return spines.sum(-1) + both.sum(-1) / len(skeleton.legs)


def relative_bone_lengths(
    X: Float[Tensor, "*batch J 3"], skeleton: Skeleton
) -> Float[Tensor, "*batch bones"]:
    """Bone lengths relative to :func:`body_size`, in the order of ``skeleton.bones``.

    0 for a pose in one point.
    """
    lengths = bone_lengths(X, skeleton)
    return lengths / body_size(X, skeleton)[..., None].clamp_min(least_size(lengths.dtype))


def body_size(X: Float[Tensor, "*batch J 3"], skeleton: Skeleton) -> Float[Tensor, "*batch"]:
    """:func:`skeleton_height`, or the sum of all bones where a layout has no legs."""
    if skeleton.legs:
        return skeleton_height(X, skeleton)
    return bone_lengths(X, skeleton).sum(-1)


def _chain(skeleton: Skeleton, joint: int) -> list[int]:
    chain = []
    while joint != skeleton.root:
        chain.append(joint)
        joint = skeleton.parents[joint]
    return chain
