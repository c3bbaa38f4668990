"""Written BVH files are read back: joints where they were, legal words, steady angles."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from selflift.config import RigConfig
from selflift.config.prepare_schema import MocapOptions
from selflift.files.array_archives import read_npz
from selflift.formats.mocap import open_mocap, write_bvh
from selflift.formats.mocap.bvh import BvhHeader, read_header, read_motion
from selflift.formats.mocap.bvh_writer import legal_names
from selflift.geometry.axes import turn_axes
from selflift.skeleton import H36M_17, SKELETONS, Skeleton, make_skeleton

from .scenes import world_of

DATA = Path(os.environ.get("SELFLIFT_DATA") or Path(__file__).parents[4] / "shared" / "data")
REAL = DATA / "data_3d_cmu17_50hz.npz"
ROOT_CHANNELS = ("tx", "ty", "tz", "rz", "rx", "ry")


def moving(
    skeleton: Skeleton, frames: int, seed: int = 0, rigid: bool = True, unsteady: float = 0.0
) -> np.ndarray:
    """A figure that sways, ``(T, J, 3)``, metres, y up.

    Args:
        skeleton: Its layout.
        frames: ``T``, at 50 Hz.
        seed: Which one.
        rigid: Whether bones that begin in one joint keep their angles.
        unsteady: Relative scatter of the bones' lengths, at most.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(frames)[:, None] / 50

    def sway() -> Rotation:
        wave = np.sin(2 * np.pi * rng.uniform(0.2, 0.6, 3) * t + rng.uniform(0, 6, 3))
        return Rotation.from_rotvec(rng.uniform(0.3, 0.9, 3) * wave)

    turns = [sway() for _ in skeleton.joints]
    X = np.zeros((frames, skeleton.num_joints, 3))
    X[:, skeleton.root] = [0.3, 0.9, -2.0] + 0.5 * np.sin(t * [1.0, 2.0, 0.7])
    world = {skeleton.root: turns[skeleton.root]}
    todo = [skeleton.root]
    while todo:
        above = todo.pop()
        for joint in (j for j, p in enumerate(skeleton.parents) if p == above):
            offset = rng.normal(size=3)
            offset *= rng.uniform(0.1, 0.45) / np.linalg.norm(offset)
            carrier = world[above] if rigid else world[above] * sway()
            length = 1 + unsteady * rng.uniform(-1, 1, (frames, 1))
            X[:, joint] = X[:, above] + length * carrier.apply(offset)
            world[joint] = carrier * turns[joint]
            todo.append(joint)
    return X


def read(path: Path, names: list[str] | None = None) -> tuple[np.ndarray, BvhHeader, np.ndarray]:
    """Joints in metres, the header, and the values."""
    header = read_header(path)
    values = np.concatenate(list(read_motion(header)))
    which = [header.points[name] for name in names or H36M_17.joints]
    return header.place(values)[:, which] / 100, header, values


def farthest_mm(a: np.ndarray, b: np.ndarray) -> float:
    return 1000 * float(np.linalg.norm(a - b, axis=-1).max())


@pytest.mark.parametrize("split", [False, True])
def test_a_body_of_constant_bones_comes_back_to_a_tenth_of_a_millimetre(
    tmp_path: Path, split: bool
) -> None:
    X = moving(H36M_17, 200)
    fit = write_bvh(tmp_path / "a.bvh", X, "h36m_17", 50, split=split)
    again, header, _ = read(tmp_path / "a.bvh")
    assert farthest_mm(again, X) < 0.1 and fit.max_mm < 0.1
    assert header.fps == 50 and header.frames == 200


@pytest.mark.parametrize("name", sorted(SKELETONS))
def test_every_layout_comes_back_when_bones_turn_one_by_one(tmp_path: Path, name: str) -> None:
    skeleton = SKELETONS[name]
    X = moving(skeleton, 40, seed=1, rigid=False)
    write_bvh(tmp_path / "a.bvh", X, skeleton, 50, split=True)
    assert farthest_mm(read(tmp_path / "a.bvh", list(skeleton.joints))[0], X) < 0.1


def test_bones_that_turn_apart_are_fitted_best_and_the_fit_is_told(tmp_path: Path) -> None:
    X = moving(H36M_17, 100, seed=2, rigid=False)
    fit = write_bvh(tmp_path / "a.bvh", X, H36M_17, 50)
    error = 1000 * np.linalg.norm(read(tmp_path / "a.bvh")[0] - X, axis=-1)
    assert fit.max_mm > 20
    np.testing.assert_allclose([error.mean(), error.max()], fit, atol=0.01)


def test_errors_are_bounded_by_how_much_the_bones_change(tmp_path: Path) -> None:
    X = moving(H36M_17, 100, seed=3, rigid=False, unsteady=0.05)
    write_bvh(tmp_path / "a.bvh", X, H36M_17, 50, split=True)
    error = np.linalg.norm(read(tmp_path / "a.bvh")[0] - X, axis=-1)
    bound = np.zeros_like(error)
    for parent, child in H36M_17.bones:
        length = np.linalg.norm(X[:, child] - X[:, parent], axis=-1)
        bound[:, child] = bound[:, parent] + np.abs(length - np.median(length))
    assert (error <= bound + 1e-6).all() and error.max() > 0.01


def test_bones_keep_their_directions(tmp_path: Path) -> None:
    X = moving(H36M_17, 50, seed=4, unsteady=0.1)
    write_bvh(tmp_path / "a.bvh", X, H36M_17, 50, split=True)
    again = read(tmp_path / "a.bvh")[0]
    for parent, child in H36M_17.bones:
        a, b = (P[:, child] - P[:, parent] for P in (X, again))
        np.testing.assert_allclose(
            a / np.linalg.norm(a, axis=-1, keepdims=True),
            b / np.linalg.norm(b, axis=-1, keepdims=True), atol=1e-5,
        )  # fmt: skip


@pytest.mark.parametrize("up", ["y", "z", "-y"])
def test_files_are_y_up_whatever_the_joints_are(tmp_path: Path, up: str) -> None:
    X = moving(H36M_17, 10)
    write_bvh(tmp_path / "a.bvh", turn_axes(X, "y", up), H36M_17, 30, up=up)
    assert farthest_mm(read(tmp_path / "a.bvh")[0], X) < 0.1


def test_tensors_and_float32_are_joints_too(tmp_path: Path) -> None:
    X = torch.from_numpy(moving(H36M_17, 10)).float().requires_grad_()
    write_bvh(tmp_path / "a.bvh", X, H36M_17, 50)
    assert farthest_mm(read(tmp_path / "a.bvh")[0], X.detach().numpy()) < 0.1


def test_the_hierarchy_is_what_programs_expect(tmp_path: Path) -> None:
    X = moving(H36M_17, 10)
    write_bvh(tmp_path / "a.bvh", X, H36M_17, 30)
    _, header, values = read(tmp_path / "a.bvh")
    joints = [joint for joint in header.bones if not joint.name.endswith("/End")]
    assert [joint.name for joint in joints][:4] == ["Hip", "RHip", "RKnee", "RFoot"]
    assert len(joints) == 17 and len(header.bones) == 17 + 5
    assert joints[0].channels == ROOT_CHANNELS and not joints[0].offset.any()
    assert all(joint.channels == ROOT_CHANNELS[3:] for joint in joints[1:])
    np.testing.assert_allclose(values[:, :3], 100 * X[:, 0], atol=1e-5)
    lines = (tmp_path / "a.bvh").read_text("ascii").splitlines()
    at = lines.index("MOTION")
    assert lines[0] == "HIERARCHY" and lines[1] == "ROOT Hip"
    assert lines[at + 1 : at + 3] == ["Frames: 10", "Frame Time: 0.03333333333"]
    assert len(lines) == at + 3 + 10 and "-0.000000" not in "\n".join(lines)


def test_bones_that_turn_one_by_one_have_joints_without_length(tmp_path: Path) -> None:
    write_bvh(tmp_path / "a.bvh", moving(H36M_17, 10), H36M_17, 50, split=True)
    joints = {joint.name: joint for joint in read_header(tmp_path / "a.bvh").bones}
    added = {"Hip_RHip", "Hip_LHip", "Hip_Spine", "Thorax_Nose", "Thorax_LShoulder"}
    assert added <= set(joints) and not any(joints[name].offset.any() for name in added)


def test_the_importer_knows_the_files(tmp_path: Path, standing: np.ndarray) -> None:
    X = standing + 0.01 * np.random.default_rng(0).standard_normal((30, 1, 3)).cumsum(0)
    write_bvh(tmp_path / "a.bvh", X, H36M_17, 50, up="z")
    recordings = open_mocap(tmp_path / "a.bvh", MocapOptions(unit="cm"), RigConfig())
    takes = list(recordings.takes)
    assert recordings.settings["bones"] == "selflift" and recordings.settings["up"] == "y"
    assert farthest_mm(world_of(takes[0]), X) < 0.1


def test_angles_never_jump_by_a_turn(tmp_path: Path) -> None:
    X = moving(H36M_17, 400, seed=5)
    turn = Rotation.from_rotvec(np.linspace([0, 0, 0], [0, 1000, 0], 400), degrees=True).as_matrix()
    X = X @ np.swapaxes(turn, 1, 2)
    write_bvh(tmp_path / "a.bvh", X, H36M_17, 50)
    _, header, values = read(tmp_path / "a.bvh")
    angles = np.degrees(values[:, header.is_angle])
    assert np.abs(np.diff(angles, axis=0)).max() < 120
    assert np.ptp(angles[:, 2]) > 900, "turning on and on"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joints": np.zeros((5, 16, 3))}, r"expected joints \(T, 17, 3\) of skeleton 'h36m_17'"),
        ({"joints": np.zeros((2, 5, 17, 3))}, r"got \(2, 5, 17, 3\); write one person a file"),
        ({"joints": np.zeros((0, 17, 3))}, r"got \(0, 17, 3\)"),
        ({"fps": 0}, "expected fps above 0, got 0"),
        ({"fps": float("nan")}, "expected fps above 0, got nan"),
        ({"up": "x"}, "up: expected one of -y, y, z, got 'x'"),
        ({"skeleton": "h36m"}, "skeleton: expected one of cmu_31"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    given = {"joints": moving(H36M_17, 5), "skeleton": "h36m_17", "fps": 50} | change
    with pytest.raises(ValueError, match=message):
        write_bvh(tmp_path / "a.bvh", **given)
    assert not list(tmp_path.iterdir())


def test_missing_joints_are_refused_by_name_and_frame(tmp_path: Path) -> None:
    X = moving(H36M_17, 20)
    X[7:9, 13] = np.nan
    X[12, 2] = np.inf
    with pytest.raises(ValueError, match=(
        "expected finite positions of all joints, got missing ones in 3 of 20 frames, first in "
        r"frame 7 \(RKnee, LWrist\); interpolate them"
    )):  # fmt: skip
        write_bvh(tmp_path / "a.bvh", X, H36M_17, 50)


def test_names_become_legal(tmp_path: Path) -> None:
    assert legal_names(("left hip", "left_hip", "End", "Knie {ü}", "Joint", "x")) == [
        "left_hip", "left_hip_2", "_End", "Knie_", "_Joint", "x",
    ]  # fmt: skip
    odd = make_skeleton("odd", "End MOTION<End é<MOTION")
    X = moving(odd, 3)
    write_bvh(tmp_path / "a.bvh", X, odd, 50)
    assert farthest_mm(read(tmp_path / "a.bvh", ["_End", "_MOTION", "_"])[0], X) < 0.1


@pytest.mark.parametrize("still", ["one frame", "all joints in one place"])
def test_little_is_enough(tmp_path: Path, still: str) -> None:
    X = moving(H36M_17, 1) if still == "one frame" else np.ones((3, 17, 3))
    write_bvh(tmp_path / "a.bvh", X, H36M_17, 50)
    again = read(tmp_path / "a.bvh", ["Hip", "Head", "LWrist"])[0]
    assert farthest_mm(again, X[:, [0, 10, 13]]) < 0.1


def test_ten_thousand_frames_take_seconds(tmp_path: Path) -> None:
    X = moving(H36M_17, 10_000)
    start = time.process_time()
    write_bvh(tmp_path / "a.bvh", X, H36M_17, 50)
    assert time.process_time() - start < 15


@pytest.mark.skipif(
    not REAL.is_file(), reason=f"set SELFLIFT_DATA to the folder that holds {REAL.name}"
)
@pytest.mark.parametrize("subject", ["CMU001", "CMU135", "CMU014", "NEO085"])
def test_real_motion_comes_back(tmp_path: Path, subject: str) -> None:
    clips = read_npz(REAL, "positions_3d")["positions_3d"][subject]
    for X in [np.asarray(clip, float)[:1500] for clip in list(clips.values())[:3]]:
        expected = turn_axes(X, "z", "y")
        write_bvh(tmp_path / "a.bvh", X, H36M_17, 50, up="z", split=True)
        again, header, values = read(tmp_path / "a.bvh")
        assert farthest_mm(again, expected) < 0.1
        assert np.abs(np.diff(np.degrees(values[:, header.is_angle]), axis=0)).max() < 120
        fit = write_bvh(tmp_path / "a.bvh", X, H36M_17, 50, up="z")
        assert fit.mean_mm < 15 and fit.max_mm < 100
        assert farthest_mm(read(tmp_path / "a.bvh")[0], expected) < fit.max_mm + 0.01
