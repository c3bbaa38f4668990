"""Composite bodies: taken apart, put together, turned, projected, brought to size."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from selflift.config import CompositeConfig
from selflift.data.rays import rays_of
from selflift.geometry.align import procrustes
from selflift.geometry.bodies import body_of, bones_of, foreshortened, legs_below, skeleton_height
from selflift.geometry.camera import project
from selflift.geometry.normalise import Normaliser, pose_size
from selflift.geometry.rotation import pitch, turn_about_root
from selflift.method.composites import BoneTable, Composites, make_composites
from selflift.method.cycle import keep_in_front
from selflift.method.views import KINDS, ViewSampler
from selflift.skeleton import COCO_17_HIP, H36M_17
from selflift.train.training_data import true_bodies

DEPTH, SIZE, B = 10.0, 0.06, 30
ON_AXIS = torch.tensor([0.0, 0.0, DEPTH], dtype=torch.float64)
UNCHANGED = CompositeConfig(legs=0.0, arms=0.0, bone_std=0.0)
CHANGED = CompositeConfig(legs=0.5, arms=0.5, bone_std=0.1)
# A camera that stays where it is.
SAME_VIEW = ViewSampler("known", azimuth_range_deg=0.0, elevation_std_deg=0.0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def composed(
    X: Tensor,
    views: ViewSampler = SAME_VIEW,
    config: CompositeConfig = UNCHANGED,
    size: float | None = None,
    elevation_rad: Tensor | None = None,
    seed: int = 0,
    min_depth: float = 1.0,
) -> Composites:
    return make_composites(
        X, elevation_rad, views, config, H36M_17, DEPTH, min_depth, size, seeded(seed)
    )


@pytest.fixture
def X(make_bodies: Callable) -> Tensor:
    """Lifted bodies as the lifter gives them: the root on the optical axis at depth ``c``."""
    return make_bodies(B) + ON_AXIS


@pytest.fixture
def own() -> Tensor:
    """The elevations that the lifter says they have."""
    return torch.linspace(0.1, 0.4, B, dtype=torch.float64)


@pytest.mark.parametrize("size", [None, SIZE])
@pytest.mark.parametrize("kind", KINDS)
def test_bodies_project_to_what_the_lifter_sees(
    X: Tensor, own: Tensor, kind: str, size: float | None
) -> None:
    made = composed(X, ViewSampler(kind), CHANGED, size, own)
    torch.testing.assert_close(project(made.X), made.x, atol=1e-12, rtol=0)
    torch.testing.assert_close(made.X[:, 0], ON_AXIS.expand(B, 3), atol=1e-12, rtol=0)
    assert (made.x[:, 0] == 0).all()
    assert made.elevation_rad.shape == (B,)


@pytest.mark.parametrize("size", [None, SIZE])
def test_no_composite_is_nearer_than_the_lifter_can_answer(
    X: Tensor, own: Tensor, size: float | None
) -> None:
    nearest = DEPTH - 0.2
    made = composed(X, ViewSampler("known"), CHANGED, size, own, min_depth=nearest)
    assert made.X[..., 2].min() == nearest
    torch.testing.assert_close(project(made.X), made.x, atol=1e-12, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_projections_have_exactly_the_size_of_real_poses(X: Tensor, own: Tensor, kind: str) -> None:
    made = composed(X, ViewSampler(kind), CHANGED, SIZE, own)
    torch.testing.assert_close(pose_size(made.x), torch.full((B,), SIZE, dtype=X.dtype))
    free = composed(X, ViewSampler(kind), CHANGED, None, own)
    assert pose_size(free.x).std() > 0.001, "without a common size bodies keep their own"
    # Size and depth offsets change by one factor: the body keeps its shape in the image's units.
    factor = SIZE / pose_size(free.x)
    torch.testing.assert_close(made.x, free.x * factor[:, None, None])
    d, free_d = (m.X[..., 2] - DEPTH for m in (made, free))
    torch.testing.assert_close(d, free_d * factor[:, None], atol=1e-12, rtol=1e-9)


def test_an_unchanged_body_in_an_unchanged_view_is_itself(X: Tensor) -> None:
    made = composed(X)
    torch.testing.assert_close(made.X, X)
    torch.testing.assert_close(made.x, project(X))


@pytest.mark.parametrize("kind", KINDS)
def test_an_unchanged_body_is_levelled_and_seen_from_the_elevation_returned(
    X: Tensor, own: Tensor, kind: str
) -> None:
    made = composed(X, ViewSampler(kind), UNCHANGED, None, own)
    # The rotation between what was given and what came, found from the joints alone.
    A, C = X - X[:, :1], made.X - made.X[:, :1]
    U, _, Vh = torch.linalg.svd(C.mT @ A)
    R = U @ Vh
    torch.testing.assert_close(A @ R.mT, C, atol=1e-10, rtol=0)
    levelled = {"paper": torch.zeros_like(own), "learned": own}
    levelled["known"] = torch.full_like(own, math.radians(12))
    up = torch.tensor([0.0, -1.0, 0.0], dtype=X.dtype)
    vertical = (R @ pitch(levelled[kind]) @ up[:, None])[..., 0]
    torch.testing.assert_close(torch.asin(-vertical[:, 2]), made.elevation_rad)
    torch.testing.assert_close(vertical, pitch(made.elevation_rad) @ up, atol=1e-9, rtol=0)
    assert made.elevation_rad.std() > 0.01


def test_composites_know_what_a_film_of_their_body_is_normalised_to(
    make_pose_set: Callable,
) -> None:
    """The offsets that the lifter is to say are those that real poses of the body have."""
    poses = make_pose_set(clips=4, frames=8)
    rays = rays_of(poses, "rotate").double()
    normaliser = Normaliser.fit(rays, H36M_17, DEPTH, "rotate", "sample")
    seen = normaliser.apply(rays, H36M_17)
    lifted = true_bodies(poses, normaliser.apply(rays.float(), H36M_17), DEPTH).double()
    expected = lifted[..., 2] - DEPTH
    camera = torch.from_numpy(poses.poses_3d).double() @ seen.R.mT
    # The true body, brought to depth c: its image stays, whatever its distance was.
    true = camera * (DEPTH / camera[:, :1, 2:])
    torch.testing.assert_close(project(lifted), seen.x, atol=2e-6, rtol=0)
    for X in (true, lifted):
        made = composed(X, size=normaliser.size)
        torch.testing.assert_close(made.x, seen.x, atol=2e-6, rtol=0)
        torch.testing.assert_close(made.X[..., 2] - DEPTH, expected, atol=2e-5, rtol=0)
    assert expected.abs().max() > 0.1 and seen.factor.std() / seen.factor.mean() > 0.01


def test_legs_change_hands_in_the_upright_frame(X: Tensor, own: Tensor) -> None:
    seen = (X - ON_AXIS) @ pitch(own).mT + ON_AXIS
    legs = CompositeConfig(legs=1.0, arms=0.0, bone_std=0.0)
    views = ViewSampler("learned")
    made = composed(seen, views, legs, None, own)
    before = bones_of(X, H36M_17)
    after = bones_of(made.X, H36M_17) @ pitch(-made.elevation_rad).mT
    joints = legs_below(H36M_17)
    apart = (after[:, None, joints].norm(dim=-1) - before[None, :, joints].norm(dim=-1)).abs()
    nearest, donor = apart.amax(-1).min(1)
    assert nearest.max() < 1e-9 and sorted(donor.tolist()) == list(range(B))
    assert (donor != torch.arange(B)).sum() > B / 2
    torch.testing.assert_close(after[:, joints, 1], before[donor][:, joints, 1])
    rest = [j for j in range(17) if j not in joints]
    torch.testing.assert_close(after[:, rest, 1], before[:, rest, 1], atol=1e-12, rtol=0)


def test_arms_and_proportions_change_as_configured(X: Tensor) -> None:
    before = bones_of(X, H36M_17).norm(dim=-1)[:, 1:]

    def lengths(**options: float) -> Tensor:
        config = CompositeConfig(**{"legs": 0.0, "arms": 0.0, "bone_std": 0.0, **options})
        return bones_of(composed(X, config=config).X, H36M_17).norm(dim=-1)[:, 1:]

    moved = (lengths(arms=1.0) - before).abs().amax(0) > 1e-6
    assert (1 + moved.nonzero()[:, 0]).tolist() == [12, 13, 15, 16]
    exponent = (lengths(bone_std=0.2) / before).log()
    assert float(exponent.std()) == pytest.approx(0.2, rel=0.15)
    # A body of new proportions poses as before.
    torch.testing.assert_close(lengths(), before)


def test_a_limb_turned_behind_the_camera_stays_before_it(X: Tensor) -> None:
    X[:, 13, 2] += 30
    made = composed(X, ViewSampler(), UNCHANGED, None)
    Y = turn_about_root(X, ViewSampler().look(X, None, seeded())[0], 0, DEPTH)
    assert (Y[:, 13, 2] < 0).any(), "the case is to occur"
    torch.testing.assert_close(made.X, keep_in_front(Y, 1.0))
    for size in (None, SIZE, 50 * SIZE):
        made = composed(X, ViewSampler(), UNCHANGED, size)
        assert (made.X[..., 2] >= 1).all() and torch.isfinite(made.X).all()
        torch.testing.assert_close(project(made.X), made.x)


def test_no_gradient_leads_back_to_the_lifter(X: Tensor, own: Tensor) -> None:
    X.requires_grad_()
    own.requires_grad_()
    made = composed(X, ViewSampler("learned"), CHANGED, SIZE, own)
    assert not any(t.requires_grad for t in (made.x, made.X, made.elevation_rad))


def test_the_generator_decides(X: Tensor) -> None:
    config = CompositeConfig()
    first, again, other = (composed(X, ViewSampler(), config, SIZE, seed=s) for s in (0, 0, 1))
    assert torch.equal(first.x, again.x) and torch.equal(first.X, again.X)
    assert not torch.allclose(first.x, other.x) and not torch.allclose(first.X, other.X)


def test_the_root_may_be_any_joint(dtype: torch.dtype, tol: float) -> None:
    bodies = 0.3 * torch.randn(B, 18, 3, generator=seeded(1), dtype=dtype)
    X = bodies - bodies[:, 17:] + ON_AXIS.to(dtype)
    made = make_composites(
        X, None, ViewSampler(), CompositeConfig(), COCO_17_HIP, DEPTH, 1.0, SIZE, seeded()
    )
    assert made.x.dtype == made.X.dtype == made.elevation_rad.dtype == dtype
    torch.testing.assert_close(made.X[:, 17], ON_AXIS.to(dtype).expand(B, 3), atol=tol, rtol=0)
    assert (made.x[:, 17] == 0).all()


def test_turned_bodies_differ_from_the_given_and_keep_their_shape(X: Tensor) -> None:
    made = composed(X, ViewSampler())
    A, C = X - X[:, :1], made.X - made.X[:, :1]
    assert (A - C).abs().amax((1, 2)).min() > 0.05
    torch.testing.assert_close(procrustes(C, A), A, atol=1e-9, rtol=0)


def relative_lengths(X: Tensor) -> Tensor:
    relative = bones_of(X, H36M_17).norm(dim=-1) / skeleton_height(X, H36M_17)[:, None]
    return (relative + relative[:, list(H36M_17.mirror)]) / 2


def random_bodies(n: int) -> Tensor:
    X = torch.randn(n, 17, 3, generator=torch.Generator().manual_seed(0))
    return X - X[:, :1]


def table(rows: int, sharpness: float = 0.0) -> BoneTable:
    return BoneTable(rows, H36M_17, torch.device("cpu"), sharpness, memory=0.5)


def test_the_bone_table_holds_each_persons_mean_relative_lengths() -> None:
    X, person = random_bodies(40), torch.arange(40) % 3
    found, length = table(4), bones_of(X, H36M_17).norm(dim=-1)
    found.update(X, person)
    lengths = found.lengths(X, person)
    for row in range(40):
        mean = relative_lengths(X)[person == person[row]].mean(0)
        # At the size at which as many bones are too long as too short.
        size = (length[row, 1:] / mean[1:]).median()
        torch.testing.assert_close(lengths[row], mean * size)


def test_bones_that_the_image_shows_in_full_count_most() -> None:
    X = random_bodies(2)
    bones = bones_of(X, H36M_17)
    # The first body lies in the image, the second points away from the camera, twice as long.
    bones[0, :, 2] = 0
    bones[1, :, :2] *= 1e-3
    X = body_of(bones, H36M_17)
    one, zeros = table(1, sharpness=8.0), torch.zeros(2, dtype=torch.long)
    one.update(X, zeros)
    torch.testing.assert_close(
        (one.sums / one.counts)[0], relative_lengths(X)[0], atol=1e-5, rtol=0
    )


def test_the_bone_table_forgets_slowly_and_is_saved() -> None:
    X, zeros = random_bodies(2), torch.zeros(2, dtype=torch.long)
    one = table(1)
    one.update(X[:1], zeros[:1])
    one.update(X[1:].repeat(2, 1, 1), zeros)
    relative = relative_lengths(X)
    expected = (0.5 * relative[0] + 2 * relative[1]) / 2.5
    torch.testing.assert_close((one.sums / one.counts)[0], expected)
    other = table(1)
    other.load_state_dict(one.state_dict())
    assert torch.equal(other.sums, one.sums) and torch.equal(other.counts, one.counts)
    with pytest.raises(ValueError, match="expected the bones of 3 people, got 1"):
        table(3).load_state_dict(one.state_dict())


def test_known_lengths_give_depths_back_but_for_their_sign() -> None:
    bones = bones_of(random_bodies(30), H36M_17)
    lengths = bones.norm(dim=-1)
    flattened = bones * torch.tensor([1.0, 1.0, 0.1])
    found = foreshortened(flattened, lengths)
    torch.testing.assert_close(found, bones, rtol=1e-3, atol=1e-4)
    # A bone that is too long in the image already lies in the image.
    short = foreshortened(bones, 0.5 * bones[..., :2].norm(dim=-1))
    assert torch.equal(short[..., :2], bones[..., :2]) and not short[..., 2].any()


def test_a_corrected_body_keeps_its_image_and_takes_its_persons_lengths() -> None:
    X, person = random_bodies(50), torch.zeros(50, dtype=torch.long)
    known = table(1)
    known.update(X, person)
    flat = X * torch.tensor([1.0, 1.0, 0.3]) + torch.tensor([0.0, 0.0, DEPTH])
    found = known.corrected(flat, person)
    torch.testing.assert_close(found[..., :2], X[..., :2])
    lengths = known.lengths(flat, person)
    bones = bones_of(found, H36M_17)
    fits = lengths > bones[..., :2].norm(dim=-1)
    torch.testing.assert_close(bones.norm(dim=-1)[fits], lengths[fits], rtol=1e-4, atol=1e-5)
    assert bool(fits[:, 1:].any()) and torch.equal(
        bones[..., 2].sign()[fits], flat_signs(flat)[fits]
    )


def flat_signs(X: Tensor) -> Tensor:
    return bones_of(X, H36M_17)[..., 2].sign()


def test_a_body_in_someones_proportions_keeps_its_pose() -> None:
    X, person = random_bodies(20), torch.arange(20) % 2
    known = table(2)
    known.update(X, person)
    found = bones_of(known.in_proportions_of(X, 1 - person), H36M_17)[:, 1:]
    before = bones_of(X, H36M_17)[:, 1:]
    cosine = torch.cosine_similarity(found, before, dim=-1)
    torch.testing.assert_close(cosine, torch.ones_like(cosine))
    length = found.norm(dim=-1)
    mean = (known.sums / known.counts)[1 - person][:, 1:]
    ratio = length / mean
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))
