"""Any source to a pose set: thinning, conversion, what is left out, what is refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from selflift.config import PrepareConfig
from selflift.data.pose_set import PoseSet
from selflift.data.recording import Recordings, Report, Take
from selflift.formats.convert import Outcome, prepare
from selflift.formats.registry import SOURCES, Source
from selflift.skeleton import COCO_17, COCO_17_HIP, H36M_17, OPENPOSE_BODY_25, Skeleton


def takes(skeleton: Skeleton, count: int = 3, solid: bool = False) -> Iterator[Take]:
    for i in range(count):
        rng = np.random.default_rng(i)
        shape = (10, skeleton.num_joints)
        confidence = np.ones(shape, np.float32)
        confidence[i % 10, 0] = 0
        poses = rng.uniform(10, 900, (*shape, 2)).astype(np.float32)
        poses[i % 10, 0] = np.nan
        yield Take(
            subject=f"S{i % 2}", action="walk", clip=f"clip {i}", camera="cam", poses_2d=poses,
            frame=np.arange(10) * 2, fps=25.0, confidence=confidence,
            poses_3d=rng.normal(size=(*shape, 3)).astype(np.float32) if solid else None,
        )  # fmt: skip


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A source of made-up takes, and the config that reads it."""

    def make(own: Skeleton, read: Iterator[Take] | None = None, **options) -> PrepareConfig:
        def opened(path: Path, config: PrepareConfig) -> Recordings:
            source = takes(own) if read is None else read
            return Recordings("made_up", own, source, 3, {}, Report())

        made = Source("made_up", "made-up takes", lambda path: False, opened)
        monkeypatch.setitem(SOURCES, "made_up", made)
        (tmp_path / "input").touch()
        return PrepareConfig(
            source="made_up", input=str(tmp_path / "input"), output=str(tmp_path / "out.h5"),
            progress=False, **options,
        )  # fmt: skip

    return make


def done(config: PrepareConfig) -> tuple[Outcome, PoseSet]:
    outcome = prepare(config)
    return outcome, PoseSet.load(outcome.path)


def test_a_source_is_written_as_it_is(made_up) -> None:
    outcome, poses = done(made_up(COCO_17))
    expected = list(takes(COCO_17))
    np.testing.assert_array_equal(poses.poses_2d, np.concatenate([t.poses_2d for t in expected]))
    assert poses.skeleton == COCO_17
    assert outcome.tally.poses == 30
    assert 1 < len(outcome.samples) <= 6
    assert any("coco_17_hip adds one" in note for note in outcome.recordings.report.notes)


def test_every_nth_frame_is_kept_by_its_number(made_up) -> None:
    _, poses = done(made_up(H36M_17, every=4))
    assert poses.frame.tolist() == [0, 4, 8, 12, 16] * 3
    assert set(poses.fps.tolist()) == {25.0}


def test_thinning_keeps_one_frame_of_each_window(made_up) -> None:
    one = next(takes(H36M_17))
    irregular = replace(one, frame=np.array([0, 3, 4, 5, 11, 13, 14, 20, 21, 39]))
    _, poses = done(made_up(H36M_17, iter([irregular]), every=5))
    assert poses.frame.tolist() == [0, 5, 11, 20, 39]


def test_frames_with_missing_joints_are_left_out_on_demand(made_up) -> None:
    outcome, poses = done(made_up(H36M_17, complete=True))
    assert len(poses) == 27
    assert np.isfinite(poses.poses_2d).all()
    assert outcome.recordings.report.dropped == {"a joint is missing": 3}


def test_conversion_derives_joints_and_says_so(made_up) -> None:
    outcome, poses = done(made_up(COCO_17, skeleton="h36m_17"))
    first = next(takes(COCO_17))
    hips = first.poses_2d[:, [11, 12]].mean(1)
    np.testing.assert_allclose(poses.poses_2d[:10, 0], hips, rtol=1e-6)
    note = next(n for n in outcome.recordings.report.notes if "stand-ins" in n)
    assert "Hip = mean of LHip, RHip" in note and "train on converted poses" in note


def test_a_converted_3d_pose_goes_with_its_2d_pose(made_up) -> None:
    _, poses = done(
        made_up(OPENPOSE_BODY_25, takes(OPENPOSE_BODY_25, solid=True), skeleton="h36m_17")
    )
    first = next(takes(OPENPOSE_BODY_25, solid=True))
    np.testing.assert_array_equal(poses.poses_3d[:10, 0], first.poses_3d[:, 8])
    np.testing.assert_array_equal(poses.poses_2d[:10, 0], first.poses_2d[:, 8])


def test_a_hip_can_be_added(made_up) -> None:
    _, poses = done(made_up(COCO_17, skeleton="coco_17_hip"))
    assert poses.skeleton == COCO_17_HIP
    assert poses.skeleton.trainable


def test_an_output_that_is_there_is_kept_unless_told(made_up) -> None:
    config = made_up(H36M_17)
    prepare(config)
    before = Path(config.output).read_bytes()
    with pytest.raises(ValueError, match="out.h5': is there already; .* overwrite=true"):
        prepare(config)
    assert Path(config.output).read_bytes() == before
    prepare(replace(config, overwrite=True, every=4))
    assert Path(config.output).read_bytes() != before


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("damaged"), SystemExit(143)])
def test_an_interrupted_conversion_leaves_nothing(made_up, tmp_path: Path, error) -> None:
    def broken() -> Iterator[Take]:
        yield from takes(H36M_17, 2)
        raise error

    with pytest.raises(type(error)):
        prepare(made_up(H36M_17, broken()))
    assert [p.name for p in tmp_path.iterdir()] == ["input"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"every": 0}, "every: expected 1 to .*, got 0"),
        ({"every": 10**20}, "every: expected 1 to .*, got 1000"),
        ({"skeleton": "octopus"}, "expected one of .*, got 'octopus'"),
        ({"source": "vicon"}, "source: expected one of h36m_videopose3d, .*, got 'vicon'"),
        (
            {"source": None},
            "expected a format that selflift knows, got an empty file; name the source",
        ),
        ({"source": "h36m"}, "expected one of h36m .h36m_videopose3d: .*, got an empty file"),
        ({"input": "nowhere"}, "input 'nowhere': no such file or folder"),
        ({"output": "."}, "expected a file to write, got a folder"),
        ({"skeleton": "cmu_31"}, "expected 'root' of 'cmu_31'"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(
    made_up, tmp_path: Path, change: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        prepare(replace(made_up(H36M_17), **change))
    assert [p.name for p in tmp_path.iterdir()] == ["input"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "got an empty folder"),
        (["a.txt", "b.txt", "c"], "got a folder of 2 x .txt, 1 x folder or other"),
    ],
)
def test_what_is_not_recognised_is_described(
    tmp_path: Path, content: list[str] | None, message: str
) -> None:
    for name in content or []:
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=f"knows, {message}; name the source"):
        prepare(PrepareConfig(input=str(tmp_path), output="out.h5"))


def test_the_keys_of_an_unknown_archive_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", mine=np.zeros(3), yours=np.zeros(3))
    with pytest.raises(ValueError, match="got an npz archive of mine, yours; name"):
        prepare(PrepareConfig(input=str(tmp_path / "a.npz"), output="out.h5"))


def test_a_pipe_is_refused_on_both_sides(made_up, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.h5"
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match="expected a file or a folder, got a pipe or a device"):
        prepare(replace(made_up(H36M_17), input=str(pipe)))
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="expected a file, got a device or a pipe"):
            prepare(replace(made_up(H36M_17), output=str(pipe), overwrite=overwrite))
    assert pipe.is_fifo()


def test_nothing_left_is_an_error(made_up, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError,
        match="expected at least one pose to write, got none; left out: nothing, the source",
    ):
        prepare(made_up(H36M_17, iter(())))
    assert [p.name for p in tmp_path.iterdir()] == ["input"]


def test_samples_are_spread_and_the_same_each_time(made_up) -> None:
    first = prepare(made_up(H36M_17, takes(H36M_17, 60))).samples
    again = prepare(made_up(H36M_17, takes(H36M_17, 60), overwrite=True)).samples
    names = [(t.clip, int(t.frame[0])) for t in first]
    assert names == [(t.clip, int(t.frame[0])) for t in again]
    assert all(len(t) == 1 for t in first)
    assert len(set(names)) == len(names) == 6
    assert max(int(clip.split()[1]) for clip, _ in names) >= 20


def test_a_pose_set_is_recognised_and_thinned(made_up, tmp_path: Path) -> None:
    outcome = prepare(made_up(H36M_17))
    config = PrepareConfig(
        input=str(outcome.path), output=str(tmp_path / "thin.h5"), every=4, progress=False
    )
    thin, poses = done(config)
    assert thin.recordings.source == "poses"
    assert len(poses) == 15
