"""Protocols: which poses and joints remain, by loops and by hand; published numbers; errors."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from selflift.data.pose_set import Labels, PoseSet
from selflift.evaluate.catalogue import METRICS
from selflift.evaluate.protocols import PROTOCOLS, Protocol, get_protocol
from selflift.evaluate.published import GRADES, Published
from selflift.evaluate.selection import joint_indices, select
from selflift.formats.h36m.h36m_protocol import BAD_TAKE
from selflift.skeleton import COCO_17, H36M_17, MPI_INF_3DHP_17

CAMERAS = ("54138969", "55011271", "58860488", "60457274")


def pose_set(
    subject: list[str], clip: list[str], camera: list[str], frame: list[int] | np.ndarray,
    X: np.ndarray | None = None,
) -> PoseSet:  # fmt: skip
    n = len(subject)
    return PoseSet(
        H36M_17, np.zeros((n, 17, 2), np.float32), Labels.of(subject), Labels.of(["walk"] * n),
        Labels.of(clip), Labels.of(camera), np.asarray(frame, np.int64), np.ones(n, np.float32),
        poses_3d=X,
    )  # fmt: skip


def streams(lengths: dict[tuple[str, str, str], int], seed: int = 0) -> PoseSet:
    """A random walk of 17 joints per subject, clip and camera, the poses of all shuffled."""
    rng = np.random.default_rng(seed)
    rows, walks = [], []
    for (subject, clip, camera), n in lengths.items():
        frames = np.cumsum(rng.integers(1, 4, n))
        rows += [(subject, clip, camera, int(f)) for f in frames]
        walks.append(np.cumsum(rng.normal(0, 8, (n, 17, 3)), 0))
    X = np.concatenate(walks).astype(np.float32)
    order = rng.permutation(len(rows))
    columns = [[rows[i][k] for i in order] for k in range(4)]
    return pose_set(columns[0], columns[1], columns[2], columns[3], X[order])


def keys(poses: PoseSet) -> list[tuple[str, str, str, int]]:
    columns = (poses.subject.values, poses.clip.values, poses.camera.values, poses.frame)
    return [(str(s), str(c), str(k), int(f)) for s, c, k, f in zip(*columns, strict=True)]


def h36m(subjects: tuple[str, ...] = ("S1", "S9", "S11"), frames: int = 12) -> PoseSet:
    rows = [
        (s, f"{s} {take}", f"{s}/{camera}", f)
        for s in subjects
        for take in ("Directions", "Walking 1")
        for camera in CAMERAS
        for f in range(frames)
    ]
    columns = [[row[k] for row in rows] for k in range(4)]
    return pose_set(columns[0], columns[1], columns[2], columns[3])


def test_human36m_keeps_its_test_subjects_and_leaves_the_damaged_take_out() -> None:
    chosen = keys(select(h36m(), PROTOCOLS["h36m-p2"]))
    expected = [k for k in keys(h36m()) if k[0] != "S1"]
    expected = [k for k in expected if f"{k[1]}.{k[2].split('/')[1]}" != BAD_TAKE]
    assert chosen == expected
    assert len(chosen) == 2 * 2 * 4 * 12 - 12


def test_a_skipped_clip_is_left_out_in_all_cameras() -> None:
    protocol = Protocol("own", "", skip=("S9 Walking 1",))
    left = keys(select(h36m(), protocol))
    assert left == [k for k in keys(h36m()) if k[1] != "S9 Walking 1"]


def test_cameras_match_by_the_last_part_of_their_name() -> None:
    left = select(h36m(), Protocol("own", "", cameras=("58860488",)))
    assert {k[2] for k in keys(left)} == {"S1/58860488", "S9/58860488", "S11/58860488"}


def test_missing_subjects_are_named() -> None:
    poses = pose_set(["CMU002"], ["a"], ["a/cam0"], [0])
    message = "protocol 'h36m-p2': expected the subjects S9, S11, got a set of CMU002; "
    with pytest.raises(ValueError, match=message):
        select(poses, PROTOCOLS["h36m-p2"])
    # A subject that the set knows by name only is missing, too.
    with pytest.raises(ValueError, match="got a set of S9; "):
        both = h36m(("S9", "S11"))
        select(both.select(both.subject.values == "S9"), PROTOCOLS["h36m-p2"])


def test_a_camera_that_only_left_out_subjects_have_is_missing() -> None:
    poses = pose_set(["S1", "S9"], ["a", "b"], ["S1/c0", "S9/c1"], [0, 0])
    with pytest.raises(ValueError, match="expected the cameras c0, got a set of c1; "):
        select(poses, Protocol("own", "", subjects=("S9",), cameras=("c0",)))


def test_nothing_left_is_an_error() -> None:
    poses = pose_set(["S9"], ["S9 Greeting"], ["S9/c0"], [0])
    with pytest.raises(ValueError, match="expected at least one pose to score, got none of 1"):
        select(poses, Protocol("own", "", skip=("S9 Greeting",)))


LENGTHS = {
    ("S1", "a", "c0"): 40,
    ("S1", "a", "c1"): 7,
    ("S1", "b", "c0"): 1,
    ("S2", "a", "c0"): 90,
    ("S2", "b", "c0"): 5,
}


@pytest.mark.parametrize("every", [2, 5])
def test_every_keeps_the_first_frame_there_is_of_each_window(every: int) -> None:
    poses = streams(LENGTHS)
    windows: dict[tuple[str, str, str, int], int] = {}
    for *stream, frame in sorted(keys(poses)):
        windows.setdefault((stream[0], stream[1], stream[2], frame // every), frame)
    expected = {(s, c, k, f) for (s, c, k, _), f in windows.items()}
    chosen = keys(select(poses, Protocol("own", "", every=every)))
    assert set(chosen) == expected
    assert len(chosen) == len(expected) < len(poses)
    assert chosen == [key for key in keys(poses) if key in expected]


@pytest.mark.parametrize("moved_mm", [20.0, 40.0, 200.0])
def test_moving_frames_are_those_of_a_greedy_loop(moved_mm: float) -> None:
    poses = streams(LENGTHS)
    assert poses.poses_3d is not None
    expected = set()
    last: dict[tuple[str, str, str], np.ndarray] = {}
    for i in sorted(range(len(poses)), key=lambda i: keys(poses)[i]):
        stream, X = keys(poses)[i][:3], poses.poses_3d[i]
        if stream in last and np.linalg.norm(X - last[stream], axis=1).max() < moved_mm:
            continue
        last[stream] = X
        expected.add(i)
    chosen = select(poses, Protocol("own", "", moving_mm=moved_mm))
    assert keys(chosen) == [key for i, key in enumerate(keys(poses)) if i in expected]
    assert len(LENGTHS) < len(chosen) < len(poses) or moved_mm != 40.0


def test_a_joint_that_moves_exactly_the_threshold_has_moved() -> None:
    X = np.zeros((3, 17, 3), np.float32)
    X[1, 5, 0], X[2, 5, 0] = 39.9, 40.0
    poses = pose_set(["s"] * 3, ["c"] * 3, ["k"] * 3, [0, 1, 2], X)
    assert select(poses, Protocol("own", "", moving_mm=40.0)).frame.tolist() == [0, 2]


def test_moving_frames_need_3d_poses() -> None:
    with pytest.raises(ValueError, match="expected 3D poses .* got a set of 2D poses alone"):
        select(h36m(), PROTOCOLS["h36m-links"])


def test_moving_frames_of_as_many_poses_as_human36m_take_seconds() -> None:
    rng = np.random.default_rng(0)
    n, long = 236, 2300
    X = np.cumsum(rng.normal(0, 5, (long, 17, 3)).astype(np.float32), 0)
    clip = [f"c{k}" for k in range(n) for _ in range(long)]
    poses = pose_set(
        ["s"] * len(clip), clip, clip, np.tile(np.arange(long), n), np.tile(X, (n, 1, 1))
    )
    start = time.perf_counter()
    chosen = select(poses, Protocol("own", "", moving_mm=40.0))
    assert time.perf_counter() - start < 10
    assert len(chosen) % n == 0


def test_mpi_inf_3dhp_scores_the_fourteen_joints_of_its_groups() -> None:
    # 1-based, from the benchmark's mpii_get_pck_auc_joint_groups.m.
    groups = ([1], [2], [3, 6], [4, 7], [5, 8], [9, 12], [10, 13], [11, 14])
    expected = sorted(joint - 1 for group in groups for joint in group)
    assert joint_indices(PROTOCOLS["3dhp"], MPI_INF_3DHP_17) == expected
    # In Human3.6M's order its neck is called the thorax; pelvis, spine and nose are not scored.
    h36m = joint_indices(PROTOCOLS["3dhp"], H36M_17)
    assert sorted(set(range(17)) - set(h36m)) == [
        H36M_17.index(j) for j in ("Hip", "Spine", "Nose")
    ]
    assert joint_indices(PROTOCOLS["3dhp-universal"], H36M_17) == list(range(17))


def test_a_layout_without_a_scored_joint_is_an_error() -> None:
    with pytest.raises(ValueError, match="got 'coco_17' without HeadTop, Thorax"):
        joint_indices(PROTOCOLS["3dhp"], COCO_17)


def test_presets_average_as_their_authors_do() -> None:
    averaging = {name: protocol.averaging for name, protocol in PROTOCOLS.items()}
    frames = {"h36m-elepose", "h36m-links", "3dhp", "3dhp-universal"}
    assert {name for name, how in averaging.items() if how == "frames"} == frames
    assert {name: p.headline for name, p in PROTOCOLS.items()} == {
        "plain": "pa_mpjpe_mm",
        "h36m-p1": "mpjpe_mm",
        "h36m-p2": "pa_mpjpe_mm",
        "h36m-elepose": "pa_mpjpe_reflected_mm",
        "h36m-links": "pa_mpjpe_reflected_mm",
        "h36m-c3dpo": "n_mpjpe_mm",
        "3dhp": "pck150",
        "3dhp-universal": "pck150",
        "cmu17": "pa_mpjpe_mm",
    }
    assert all(get_protocol(name) is protocol for name, protocol in PROTOCOLS.items())


def test_published_numbers_are_comparable_under_their_own_alignment_only() -> None:
    def beside(name: str, metric: str) -> list[Published]:
        return [n for n in PROTOCOLS[name].published if n.metric == metric and n.comparable(name)]

    same = beside("h36m-p2", "pa_mpjpe_mm")
    assert {(n.method, n.input, n.value) for n in same} == {
        ("Chen 2019 by Yu 2021", "GT", 46.0),
        ("Chen 2019 by Yu 2021", "detected", 54.9),
        ("Yu 2021", "GT", 42.0),
        ("Yu 2021", "detected", 52.3),
        ("PoseTriplet 2022", "GT", 45.1),
        ("PoseTriplet 2022", "detected", 51.8),
    }
    others = {n.value for n in PROTOCOLS["h36m-p2"].published} - {n.value for n in same}
    assert others == {58, 51, 68, 38.2, 64.6, 36.7, 50.2, 33.8, 30.9}
    assert beside("h36m-p2", "pa_mpjpe_reflected_mm") == []
    for name, values in (("h36m-elepose", [36.7, 50.2]), ("h36m-links", [33.8])):
        assert [n.value for n in beside(name, "pa_mpjpe_reflected_mm")] == values
    for protocol in PROTOCOLS.values():
        for number in protocol.published:
            assert number.metric in METRICS and number.grade in GRADES
            assert number.protocol is None or number.protocol in PROTOCOLS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"headline": "mpjpe"}, "expected metrics of pa_mpjpe_mm"),
        ({"shown": ("pa_mpjpe_mm", "pck")}, "got pck"),
        ({"headline": "mpjpe_flip_mm", "shown": ("mpjpe_flip_mm",)}, "shown and no oracle"),
        ({"shown": ("n_mpjpe_mm",)}, "expected a headline that is shown"),
        ({"averaging": "poses"}, "expected averaging of actions, frames, got 'poses'"),
        ({"every": 0}, "expected every to be at least 1, got 0"),
        ({"moving_mm": -1.0}, "expected moving_mm above 0, got -1.0"),
    ],
)
def test_protocols_that_make_no_sense_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"protocol 'plain': .*{message}"):
        replace(PROTOCOLS["plain"], **change)


def test_an_unknown_protocol_is_named() -> None:
    with pytest.raises(ValueError, match="expected one of plain, h36m-p1, .*, got 'p2'"):
        get_protocol("p2")
