"""Real samples: COCO's own people, and recorded motion written in the forms of detectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.recording import Recordings, Take
from selflift.files.untrusted import ImportFileError
from selflift.formats.keypoints import coco, openpose
from selflift.skeleton import COCO_17, H36M_17, OPENPOSE_BODY_25, convert, derived_joints
from tests.conftest import WORLD_TO_LEVEL

Read = Callable[[Recordings], list[Take]]


def test_real_annotations_are_read(samples: Path, read: Read) -> None:
    path = samples / "coco" / "mmpose_test_coco.json"
    assert coco.recognise(path)
    source = coco.open_keypoints(path, KeypointOptions())
    takes = read(source)
    assert sum(map(len, takes)) == 12 and len(takes) == 5
    assert set(takes[0].frame.tolist()) == {785, 40083, 196141, 197388}
    assert source.report.dropped == {"person without a labelled joint": 2}
    assert takes[0].confidence is not None
    skier = takes[0].poses_2d[takes[0].frame == 785][0]
    assert skier[0].tolist() == [367, 81], "the nose, as written in the file"


def test_real_results_are_read_without_their_dummy_places(samples: Path, read: Read) -> None:
    path = samples / "coco" / "person_keypoints_val2014_fakekeypoints100_results.json"
    assert coco.recognise(path)
    source = coco.open_keypoints(path, KeypointOptions())
    takes = read(source)
    assert sum(map(len, takes)) == 125 and len(takes[0]) == 47
    missing = sum(
        int((take.confidence == 0).sum()) for take in takes if take.confidence is not None
    )
    assert missing == 649 and not source.report.dropped


def test_real_detections_without_keypoints_are_refused(samples: Path) -> None:
    path = samples / "coco" / "mmpose_test_coco_det_AP_H_56.json"
    with pytest.raises(ImportFileError, match="got items of bbox, .*118 x person without keypoint"):
        coco.open_keypoints(path, KeypointOptions())


def test_real_motion_in_cocos_form_lies_where_the_camera_saw_it(samples: Path, read: Read) -> None:
    source = coco.open_keypoints(
        samples / "projected_coco_keypoints.json", KeypointOptions(people="best")
    )
    (take,) = read(source)
    assert take.frame.tolist() == list(range(1, 21))
    with np.load(samples / "projected_truth.npz") as truth:
        # The images are every third frame of the recording.
        X = (truth["world"][::3] - truth["camera_centre"]) @ WORLD_TO_LEVEL.T
        pixels = float(truth["f"]) * X[..., :2] / X[..., 2:] + [truth["cx"], truth["cy"]]
    found = convert(take.poses_2d, COCO_17, H36M_17, take.confidence).positions
    off = dict(
        zip(H36M_17.joints, np.median(np.linalg.norm(found - pixels, axis=-1), 0), strict=True)
    )
    limbs = [n for n in H36M_17.joints if n[1:] in
             ("Hip", "Knee", "Foot", "Shoulder", "Elbow", "Wrist")]  # fmt: skip
    assert len(limbs) == 12 and all(1 < off[joint] < 3.5 for joint in limbs)
    # Stand-ins: the middle of the shoulders is not the thorax that was marked.
    assert off["Hip"] < 3
    assert 5 < off["Thorax"] < 30 and 5 < off["Spine"] < 20


def test_real_motion_in_openposes_form_lies_where_the_camera_saw_it(
    samples: Path, read: Read
) -> None:
    folder = samples / "projected_openpose"
    assert openpose.recognise(folder)
    source = openpose.open_keypoints(folder, KeypointOptions(fps=25.0))
    (take,) = read(source)
    assert source.skeleton is OPENPOSE_BODY_25
    assert take.clip == "cmu06" and take.frame.tolist() == [t for t in range(60) if t != 17]
    assert source.report.dropped == {"nobody detected": 1}

    with np.load(samples / "projected_truth.npz") as truth:
        X = (truth["world"] - truth["camera_centre"]) @ WORLD_TO_LEVEL.T
        pixels = float(truth["f"]) * X[..., :2] / X[..., 2:] + [truth["cx"], truth["cy"]]
    found = convert(take.poses_2d, source.skeleton, H36M_17, take.confidence)
    off = torch.from_numpy(np.linalg.norm(found.positions - pixels[take.frame], axis=-1))
    median = dict(zip(H36M_17.joints, off.nanmedian(0).values.tolist(), strict=True))
    derived = {"Spine", "Head"}
    for joint in [joint for joint in H36M_17.joints if joint not in derived]:
        assert 1 < median[joint] < 3, f"{joint}: the noise is 2 px in x and in y"
    # A stand-in is not the joint: the middle of pelvis and neck is off the marked spine.
    assert derived_joints(source.skeleton, H36M_17)["Spine"] == ("MidHip", "Neck")
    assert 8 < median["Spine"] < 20
    assert found.confidence is not None
    assert (found.confidence[:, H36M_17.index("Head")] == 0).all(), "no eyes were written"
