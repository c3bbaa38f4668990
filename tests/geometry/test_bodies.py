"""Bodies taken apart and put together again."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from scipy.stats import kstest, norm
from torch import Tensor

from selflift.geometry.bodies import (
    arms_below,
    body_of,
    bones_of,
    legs_below,
    recombine,
    rescale_bones,
)
from selflift.geometry.rotation import azimuth
from selflift.skeleton import (
    COCO_17,
    COCO_17_HIP,
    H36M_17,
    H36M_32,
    OPENPOSE_BODY_25,
    SKELETONS,
    Skeleton,
    make_skeleton,
)

B = 40
WITH_LIMBS = [H36M_17, COCO_17_HIP, OPENPOSE_BODY_25]
TORSO = make_skeleton("torso_4", "Pelvis Thorax<Pelvis Neck<Thorax Head<Neck", head="Head")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_bodies(
    skeleton: Skeleton, n: int = B, seed: int = 0, dtype: torch.dtype = torch.float64
) -> Tensor:
    """Root-centred, with every bone of another length; they need not look like people."""
    X = torch.randn(n, skeleton.num_joints, 3, generator=seeded(seed), dtype=dtype)
    return X - X[:, skeleton.root, None]


def named(skeleton: Skeleton, *parts: str) -> list[int]:
    return sorted(j for j, part in enumerate(skeleton.parts) if part in parts)


def donor_of(before: Tensor, after: Tensor, joints: list[int]) -> Tensor:
    """The body of ``before`` whose bones of these joints are as long as those of each body after.

    Fails where there is none.
    """
    lengths, new = (bones[:, joints].norm(dim=-1) for bones in (before, after))
    apart = (new[:, None] - lengths[None]).abs().amax(-1)
    nearest, donor = apart.min(1)
    assert nearest.max() < 1e-10, "bones that belong to no body of the batch"
    return donor


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_body_of_inverts_bones_of(skeleton: Skeleton, batch: tuple) -> None:
    size = math.prod(batch)
    X = random_bodies(skeleton, size).reshape(*batch, skeleton.num_joints, 3)
    torch.testing.assert_close(body_of(bones_of(X, skeleton), skeleton), X, atol=1e-12, rtol=0)


@pytest.mark.parametrize("skeleton", [*WITH_LIMBS, COCO_17, TORSO], ids=lambda s: s.name)
def test_bones_lead_to_each_joint_from_its_parent(skeleton: Skeleton, dtype: torch.dtype) -> None:
    X = random_bodies(skeleton, dtype=dtype)
    bones = bones_of(X + 3, skeleton)
    assert bones.dtype == dtype and body_of(bones, skeleton).dtype == dtype
    for joint, parent in enumerate(skeleton.parents):
        expected = (X + 3)[:, joint] - (X + 3)[:, parent] if parent >= 0 else torch.zeros(B, 3)
        assert torch.equal(bones[:, joint], expected.to(dtype))


def grouped(bodies: Tensor) -> tuple[Tensor, Tensor]:
    """Bodies of four persons of their own proportions, out of order, and whose each is."""
    # Odd numbers of bodies, whose median is no matter of taste.
    group = torch.tensor([7] * 5 + [-2] * 9 + [3] * 1 + [40] * 7)
    persons = 1 + 0.2 * torch.randn(4, 17, generator=seeded(1), dtype=bodies.dtype)
    stretched = bones_of(bodies[: len(group)], H36M_17)
    number = torch.unique(group, return_inverse=True)[1]
    stretched = stretched * persons[number][..., None]
    shuffled = torch.randperm(len(group), generator=seeded(2))
    return body_of(stretched, H36M_17)[shuffled], group[shuffled]


@pytest.mark.parametrize("skeleton", WITH_LIMBS, ids=lambda s: s.name)
def test_rescaled_bones_keep_direction_and_the_ratio_of_left_to_right(skeleton: Skeleton) -> None:
    bones = bones_of(random_bodies(skeleton), skeleton)
    new = rescale_bones(bones, 0.3, skeleton, seeded())
    children = [child for _, child in skeleton.bones]
    directions = [torch.nn.functional.normalize(b[:, children], dim=-1) for b in (bones, new)]
    torch.testing.assert_close(*directions)
    assert (new[:, skeleton.root] == 0).all()
    factor = new.norm(dim=-1)[:, children] / bones.norm(dim=-1)[:, children]
    other = [children.index(skeleton.mirror[child]) for child in children]
    torch.testing.assert_close(factor, factor[:, other])


def test_rescaled_bones_have_the_stated_spread_and_are_drawn_one_by_one() -> None:
    std, n = 0.2, 4000
    bones = bones_of(random_bodies(H36M_17, n), H36M_17)
    new = rescale_bones(bones, std, H36M_17, seeded())
    middle_and_left = [j for j in range(1, 17) if j not in H36M_17.right]
    exponent = (new.norm(dim=-1) / bones.norm(dim=-1)).log()[:, middle_and_left]
    assert kstest(exponent.flatten().numpy(), norm(0, std).cdf).pvalue > 0.01
    correlation = torch.corrcoef(exponent.T) - torch.eye(len(middle_and_left))
    assert correlation.abs().max() < 5 / math.sqrt(n)


def test_rescaling_is_the_generators(make_bodies: Callable) -> None:
    bones = bones_of(make_bodies(B), H36M_17)
    first, again, other = (rescale_bones(bones, 0.1, H36M_17, seeded(s)) for s in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(rescale_bones(bones, 0.0, H36M_17, seeded()), bones)


@pytest.mark.parametrize(
    "skeleton", [s for s in SKELETONS.values() if s.legs], ids=lambda s: s.name
)
def test_legs_are_the_knees_the_feet_and_what_hangs_on_them(skeleton: Skeleton) -> None:
    below = legs_below(skeleton)
    anatomy = {j for _, knee, ankle in skeleton.legs for j in (knee, ankle)}
    assert anatomy <= set(below)
    for joint in below:
        assert not skeleton.parts[joint].endswith(("Hip", "Shoulder", "Elbow", "Wrist", "Nose"))
    assert {skeleton.mirror[j] for j in below} == set(below)


@pytest.mark.parametrize("skeleton", WITH_LIMBS, ids=lambda s: s.name)
def test_arms_are_the_elbows_and_wrists_of_one_side_each(skeleton: Skeleton) -> None:
    shoulders = tuple(skeleton.parts.index(f"{side}Shoulder") for side in "LR")
    found = arms_below(skeleton)
    assert [joints for _, _, joints in found] == [
        named(skeleton, f"{side}Elbow", f"{side}Wrist") for side in "LR"
    ]
    for pair, attached, _ in found:
        assert pair == shoulders
        assert {skeleton.parents[shoulder] for shoulder in shoulders} == {attached}


def test_layouts_without_the_parts_have_none() -> None:
    assert legs_below(TORSO) == [] and arms_below(TORSO) == []
    assert arms_below(COCO_17) == []  # shoulders that hang on the root


def test_arms_may_hang_on_collar_bones() -> None:
    (shoulders, attached, left), (_, _, right) = arms_below(H36M_32)
    names = [H36M_32.joints[j] for j in (*shoulders, attached)]
    assert names == ["LShoulder", "RShoulder", "Spine"]
    assert {H36M_32.joints[j][0] for j in left} == {"L"} and len(left) == len(right) == 6


@pytest.mark.parametrize("skeleton", [TORSO, COCO_17], ids=lambda s: s.name)
def test_parts_that_a_layout_does_not_have_stay_as_they_are(skeleton: Skeleton) -> None:
    bones = bones_of(random_bodies(skeleton), skeleton)
    assert torch.equal(recombine(bones, 0.0, 1.0, skeleton, seeded()), bones)
    legs = legs_below(skeleton)
    rest = [j for j in range(skeleton.num_joints) if j not in legs]
    new = recombine(bones, 1.0, 1.0, skeleton, seeded())
    assert torch.equal(new[:, rest], bones[:, rest])
    assert not legs or not torch.allclose(new[:, legs], bones[:, legs])


@pytest.mark.parametrize("skeleton", WITH_LIMBS, ids=lambda s: s.name)
def test_no_share_no_change(skeleton: Skeleton) -> None:
    bones = bones_of(random_bodies(skeleton), skeleton)
    given = bones.clone()
    new = recombine(bones, 0.0, 0.0, skeleton, seeded())
    assert torch.equal(new, given)
    recombine(bones, 1.0, 1.0, skeleton, seeded())
    assert torch.equal(bones, given), "the bodies given are not written to"


def horizontal(v: Tensor) -> Tensor:
    """Directions seen from above, as complex numbers of length 1."""
    seen = torch.complex(v[..., 0], v[..., 2])
    return seen / seen.abs()


@pytest.mark.parametrize("skeleton", WITH_LIMBS, ids=lambda s: s.name)
def test_legs_are_anothers_turned_about_the_vertical_to_the_new_hips(skeleton: Skeleton) -> None:
    bones = bones_of(random_bodies(skeleton), skeleton)
    new = recombine(bones, 1.0, 0.0, skeleton, seeded())
    legs = legs_below(skeleton)
    rest = [j for j in range(skeleton.num_joints) if j not in legs]
    assert torch.equal(new[:, rest], bones[:, rest])
    donor = donor_of(bones, new, legs)
    assert sorted(donor.tolist()) == list(range(B)), "every body gives its legs once"
    assert (donor != torch.arange(B)).sum() > B / 2
    # Gravity keeps its direction ...
    torch.testing.assert_close(new[:, legs, 1], bones[donor][:, legs, 1])
    # ... and from above, the legs stand to the new hips as they did to their own.
    (left, _, _), (right, _, _) = skeleton.legs
    body = body_of(bones, skeleton)
    hips = horizontal(body[:, left] - body[:, right])
    torch.testing.assert_close(
        horizontal(new[:, legs]) / hips[:, None],
        horizontal(bones[donor][:, legs]) / hips[donor][:, None],
    )


def in_frame(bones: Tensor, across: Tensor, along: Tensor) -> Tensor:
    """Components of bones in a frame of the body's own; turned with it, they keep them."""
    third = torch.linalg.cross(across, along)
    axes = [torch.nn.functional.normalize(v, dim=-1) for v in (across, along, third)]
    # What of the spine is not across, as the arms' frame has it.
    axes[1] = torch.linalg.cross(axes[2], axes[0])
    return torch.stack([(bones * axis[:, None]).sum(-1) for axis in axes], -1)


@pytest.mark.parametrize("skeleton", WITH_LIMBS, ids=lambda s: s.name)
def test_arms_are_anothers_turned_with_shoulders_and_spine(skeleton: Skeleton) -> None:
    bones = bones_of(random_bodies(skeleton), skeleton)
    new = recombine(bones, 0.0, 1.0, skeleton, seeded())
    sides = [named(skeleton, f"{side}Elbow", f"{side}Wrist") for side in "LR"]
    rest = [j for j in range(skeleton.num_joints) if j not in [*sides[0], *sides[1]]]
    assert torch.equal(new[:, rest], bones[:, rest])
    left, right = (skeleton.parts.index(f"{side}Shoulder") for side in "LR")
    body = body_of(bones, skeleton)
    frame = body[:, left] - body[:, right], bones[:, skeleton.parents[left]]
    donors = [donor_of(bones, new, joints) for joints in sides]
    for donor, joints in zip(donors, sides, strict=True):
        assert sorted(donor.tolist()) == list(range(B))
        expected = in_frame(bones[:, joints], *frame)[donor]
        torch.testing.assert_close(in_frame(new[:, joints], *frame), expected)
    assert not torch.equal(*donors), "each arm has a donor of its own"


@pytest.mark.parametrize("skeleton", WITH_LIMBS, ids=lambda s: s.name)
def test_one_body_seen_from_many_sides_exchanges_nothing(skeleton: Skeleton) -> None:
    one = random_bodies(skeleton, 1)
    about_vertical = azimuth(torch.linspace(-3, 3, B, dtype=one.dtype))
    bones = bones_of(one @ about_vertical.mT, skeleton)
    new = recombine(bones, 1.0, 1.0, skeleton, seeded())
    torch.testing.assert_close(new, bones, atol=1e-12, rtol=0)
    # Arms are turned with their body in whatever direction; legs about the vertical alone.
    anyhow = torch.from_numpy(Rotation.random(B, np.random.default_rng(0)).as_matrix())
    bones = bones_of(one @ anyhow.mT, skeleton)
    new = recombine(bones, 0.0, 1.0, skeleton, seeded())
    torch.testing.assert_close(new, bones, atol=1e-12, rtol=0)
    assert not torch.allclose(recombine(bones, 1.0, 0.0, skeleton, seeded()), bones)


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_shares_are_those_of_the_bodies_that_change(share: float) -> None:
    n = 3000
    bones = bones_of(random_bodies(H36M_17, n), H36M_17)
    new = recombine(bones, share, 1 - share, H36M_17, seeded())
    tolerance = 4 * math.sqrt(0.25 / n)
    changed = {}
    for part, joints, expected in (
        ("legs", [2, 3, 5, 6], share), ("left", [12, 13], 1 - share), ("right", [15, 16], 1 - share)
    ):  # fmt: skip
        different = (new - bones)[:, joints].norm(dim=-1) > 1e-9
        whole = different.all(-1)
        assert torch.equal(whole, different.any(-1)), "a limb comes from one body, whole"
        assert float(whole.double().mean()) == pytest.approx(expected, abs=tolerance), part
        changed[part] = whole.double()
    correlation = torch.corrcoef(torch.stack(list(changed.values()))) - torch.eye(3)
    assert correlation.abs().max() < 5 / math.sqrt(n)


def test_recombining_is_the_generators(make_bodies: Callable, dtype: torch.dtype) -> None:
    bones = bones_of(make_bodies(B, dtype=dtype), H36M_17)
    first, again, other = (recombine(bones, 0.5, 0.5, H36M_17, seeded(s)) for s in (0, 0, 1))
    assert first.dtype == dtype
    assert torch.equal(first, again) and not torch.equal(first, other)
