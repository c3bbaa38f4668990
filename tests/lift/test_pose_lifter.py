"""From pixels to metres, with a lifter that knows the truth and with real ones."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from selflift.geometry.bodies import skeleton_height
from selflift.geometry.camera import project_pixels
from selflift.geometry.normalise import Normaliser
from selflift.geometry.rotation import pitch, ray_to_axis
from selflift.lift import Camera, LiftedPoses, PoseLifter
from selflift.lift.metres import ANKLE_HEIGHT
from selflift.lift.result import levelling
from selflift.models import Lifter
from selflift.skeleton import COCO_17, H36M_17
from tests.conftest import STANDING, WORLD_TO_LEVEL

NORMALISER = Normaliser("rotate", "sample", 0.4, 0.06)
LENS = Camera((1100.0, 1090.0), (510.0, 480.0), (1000.0, 960.0), (-0.2, 0.2, -0.01), (0.001, 0.0))
PITCH_RAD = 0.25
UP = torch.tensor([0.0, -np.cos(PITCH_RAD), -np.sin(PITCH_RAD)]).float()


def lifter(**changes: object) -> PoseLifter:
    torch.manual_seed(0)
    made = Lifter("h36m_17", **{"width": 16, "num_blocks": 1, "elevation": True, **changes})  # type: ignore[arg-type]
    return PoseLifter(made.eval(), NORMALISER, "a lifter", device="cpu")


def people(n: int = 5) -> np.ndarray:
    """Standing people before a camera that looks down, turned and placed at random; metres."""
    rng = np.random.default_rng(0)
    body = (STANDING - STANDING[0]) @ WORLD_TO_LEVEL.T
    found = []
    for angle in rng.uniform(-3, 3, n):
        c, s = np.cos(angle), np.sin(angle)
        turned = body @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T
        # From the level camera's axes to those of one that looks down.
        seen = turned @ pitch(torch.tensor(PITCH_RAD)).double().numpy().T
        found.append(seen + np.array([rng.uniform(-1, 1), rng.uniform(-0.5, 0.5), 5.0]))
    return np.array(found)


def pixels(X: np.ndarray, camera: Camera) -> np.ndarray:
    return project_pixels(torch.from_numpy(X), camera.intrinsics()).numpy()


class Oracle:
    """Says the truth about the depths and the elevation of given people."""

    def __init__(self, X: np.ndarray) -> None:
        self.X = torch.from_numpy(X).float()

    def lift_with_elevation(self, x: Tensor, confidence: Tensor) -> SimpleNamespace:
        R = ray_to_axis(self.X[:, 0, :2] / self.X[:, 0, 2:])
        seen = self.X @ R.mT
        truth = seen[..., :2] / seen[..., 2:]
        factor = x[:, 10].norm(dim=-1) / truth[:, 10].norm(dim=-1)
        d = (seen[..., 2] / seen[:, :1, 2] - 1) * 10 * factor[:, None]
        up = UP @ R.mT
        elevation = torch.atan2(-up[:, 2], -up[:, 1])
        # Missing joints are where they are.
        return SimpleNamespace(x=truth * factor[:, None, None], d=d, elevation_rad=elevation)


def height(X: np.ndarray) -> float:
    """The stature of a person of whom the ankles and the top of the head are known."""
    return float(skeleton_height(torch.from_numpy(X), H36M_17)) / (1 - ANKLE_HEIGHT)


@pytest.mark.parametrize("camera", [LENS, Camera.of(np.zeros((1, 2)), (1000, 960), 1100.0)])
def test_the_true_depths_give_the_true_bodies_places_and_vertical(camera: Camera) -> None:
    X, takes = people(), lifter()
    takes._fast = Oracle(X)  # type: ignore[assignment]
    found = takes(pixels(X, camera), camera=camera, stature_m=height(X[0]))
    np.testing.assert_allclose(found.X_m, X - X[:, :1], atol=2e-4)
    np.testing.assert_allclose(found.root_m, X[:, 0], atol=2e-3)
    # A turn towards a body off the axis leans the vertical sideways, which no elevation tells.
    np.testing.assert_allclose(found.up, UP.expand(5, 3).numpy(), atol=0.02)
    assert found.lifted.all() and not found.filled.any()
    assert found.notes == ()


def test_levelled_people_stand_upright_and_are_not_mirrored() -> None:
    X, takes = people(), lifter()
    takes._fast = Oracle(X)  # type: ignore[assignment]
    found = takes(pixels(X, LENS), camera=LENS, stature_m=height(X[0]))
    levelled = found.levelled_m
    feet, head = levelled[:, [3, 6]].mean(1), levelled[:, 10]
    assert np.all((head - feet)[:, 1] > 1.55)
    assert np.all(np.abs((head - feet)[:, [0, 2]]) < 0.2)
    # Left, up and forward are as in the camera's axes, whose handedness is the same.
    turn = levelling(found.up)
    np.testing.assert_allclose(np.linalg.det(turn), 1, atol=1e-5)
    np.testing.assert_allclose(levelled, found.X_m @ turn[0].T, atol=1e-5)
    np.testing.assert_allclose(found.levelled_root_m, found.root_m @ turn[0].T, atol=1e-5)
    # Whoever is farther away is farther from the viewer.
    assert np.all(found.levelled_root_m[:, 2] < 0)


def test_missing_joints_are_filled_in_and_marked() -> None:
    X, takes = people(), lifter(confidences=True)
    takes._fast = Oracle(X)  # type: ignore[assignment]
    x = pixels(X, LENS)
    given = x.copy()
    given[1, 3] = np.nan
    confidence = np.ones((5, 17))
    confidence[2, 16] = 0
    found = takes(given, confidence=confidence, camera=LENS, stature_m=height(X[0]))
    assert found.filled.sum() == 2 and found.filled[1, 3] and found.filled[2, 16]
    assert found.confidence[1, 3] == 0 and found.confidence[1, 4] == 1
    np.testing.assert_allclose(found.pose_2d, x, atol=0.05)
    np.testing.assert_allclose(found.X_m, X - X[:, :1], atol=2e-4)


def test_poses_that_can_t_be_lifted_are_nan_and_the_others_are_as_without_them() -> None:
    takes, x = lifter(confidences=True), pixels(people(), LENS)
    alone = takes(x[[0, 2, 4]], camera=LENS)
    given = x.copy()
    given[1, 0] = np.nan  # no root
    given[3, 5:] = np.nan  # too few joints
    found = takes(given, camera=LENS)
    assert found.lifted.tolist() == [True, False, True, False, True]
    assert np.isnan(found.X_m[[1, 3]]).all() and np.isfinite(found.X_m[[0, 2, 4]]).all()
    np.testing.assert_allclose(found.X_m[[0, 2, 4]], alone.X_m, atol=1e-5)
    assert not found.filled[[1, 3]].any()
    assert "2 of 5 poses could not be lifted" in found.notes[0]
    nobody = takes(np.full((3, 17, 2), np.nan), size_px=(100, 100))
    assert not nobody.lifted.any() and nobody.X_m.shape == (3, 17, 3)


def test_a_lifter_of_complete_poses_leaves_others_out() -> None:
    x = pixels(people(), LENS)
    x[0, 16] = np.nan
    found = lifter()(x, camera=LENS)
    assert found.lifted.tolist() == [False, True, True, True, True]
    assert "takes complete poses only" in found.notes[0]


@pytest.mark.parametrize("leading", [(), (1,), (2, 3), (0,)])
def test_any_leading_shape(leading: tuple[int, ...]) -> None:
    n = int(np.prod(leading))
    x = pixels(people(max(n, 1)), LENS)[:n] if leading else pixels(people(1), LENS)[0]
    takes = lifter()
    x = x.reshape(*leading, 17, 2)
    found = takes(torch.from_numpy(x), size_px=(1000, 960))
    assert found.X_m.shape == (*leading, 17, 3) and found.root_m.shape == (*leading, 3)
    assert found.pose_2d.shape == (*leading, 17, 2) and found.lifted.shape == leading
    assert found.elevation_rad is not None and found.elevation_rad.shape == leading
    assert found.levelled_m.shape == (*leading, 17, 3)
    if leading == (2, 3):
        np.testing.assert_allclose(found[1].X_m, takes(x[1], size_px=(1000, 960)).X_m, atol=1e-6)


def test_batches_and_a_model_without_elevation_change_nothing_else() -> None:
    x = pixels(people(7), LENS)
    takes = lifter()
    whole, parts = takes(x, camera=LENS), takes(x, camera=LENS, batch_size=2)
    np.testing.assert_allclose(whole.X_m, parts.X_m, atol=1e-6)
    flat = lifter(elevation=False)(x, camera=LENS)
    assert flat.elevation_rad is None
    np.testing.assert_array_equal(flat.up, np.tile([0, -1, 0], (7, 1)))


def test_other_layouts_are_converted() -> None:
    x = np.random.default_rng(0).uniform(100, 400, (4, 17, 2))
    found = lifter(confidences=True)(x, "coco_17", size_px=(500, 500))
    assert found.skeleton == H36M_17 and found.lifted.all()
    right, left = COCO_17.index("RHip"), COCO_17.index("LHip")
    np.testing.assert_allclose(found.pose_2d[:, 0], x[:, [right, left]].mean(1), rtol=1e-5)


def test_what_was_assumed_is_said() -> None:
    x = pixels(people(), LENS)
    found = lifter()(x)
    assert "size is not known" in found.camera.assumed[0]
    assert "focal length is not known" in found.camera.assumed[1]
    known = lifter()(x, size_px=(1000, 960), f_px=1100.0)
    assert known.camera.assumed == () and known.camera.c_px == (500.0, 480.0)


def test_y_up_is_noticed() -> None:
    x = pixels(people(), LENS) * [1, -1] + [0, 960]
    assert "the head is below the hips" in lifter()(x, size_px=(1000, 960)).notes[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"keypoints": np.zeros((4, 17, 3))}, r"got \(4, 17, 3\); give the third column as"),
        ({"keypoints": np.zeros((4, 25, 2))}, "skeleton='openpose_body_25'"),
        ({"keypoints": np.zeros(34)}, "name their layout"),
        ({"keypoints": np.full((4, 17, 2), 0.5)}, "expected pixels, got numbers of at most 0.5"),
        ({"keypoints": np.full((4, 17, 2), np.inf)}, "expected finite pixels"),
        ({"keypoints": np.zeros((4, 17, 2), dtype=bool)}, "expected numbers, got an array of bool"),
        ({"confidence": np.ones((4, 16))}, r"confidence: expected \(4, 17\)"),
        ({"confidence": np.full((4, 17), 90)}, r"expected numbers in \[0, 1\]"),
        ({"skeleton": "h36n"}, "expected one of"),
        ({"size_px": (0, 10)}, "expected width and height above 0"),
        ({"size_px": (10,)}, "expected 2 finite numbers"),
        ({"f_px": -3.0}, "expected a focal length above 0"),
        ({"f_px": (1.0, float("nan"))}, "f_px: expected 2 finite numbers"),
        ({"camera": LENS, "f_px": 3.0}, "expected either a camera or size_px"),
        ({"stature_m": 170}, "expected a body height in metres"),
        ({"batch_size": 0}, "batch_size: expected at least 1"),
    ],
)
def test_what_doesn_t_fit_is_refused(arguments: dict[str, object], message: str) -> None:
    given = {"keypoints": np.random.default_rng(0).uniform(0, 99, (4, 17, 2)), **arguments}
    with pytest.raises(ValueError, match=message):
        lifter()(**given)  # type: ignore[arg-type]


def test_the_result_is_named() -> None:
    found = lifter()(pixels(people(), LENS))
    assert isinstance(found, LiftedPoses) and found.stature_m == 1.7
    assert repr(lifter()) == "PoseLifter('a lifter', h36m_17, complete poses only)"


def test_a_normaliser_of_another_layout_is_refused() -> None:
    other = Normaliser("rotate", "sample", 0.4, 0.06, (1.0,) * 16)
    with pytest.raises(ValueError, match="expected a normaliser with 17 shares, .* got 16"):
        PoseLifter(Lifter(width=8, num_blocks=1), other, device="cpu")


def test_metadata_tell_what_the_lifter_is() -> None:
    made = PoseLifter(Lifter(width=8, num_blocks=1), NORMALISER, metadata={"step": 3, "lifter": {}})
    assert made.metadata["step"] == 3
    assert made.metadata["lifter"] == made.lifter.arguments
    assert Normaliser.from_plain(made.metadata["normaliser"]) == NORMALISER
