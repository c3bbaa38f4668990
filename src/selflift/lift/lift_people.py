"""Prediction for a file of keypoints: lift everybody, fill gaps, smooth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from selflift.config import PredictConfig
from selflift.data.recording import Take
from selflift.files.untrusted import ImportFileError
from selflift.geometry.anatomy import CLEAR_SCORE, knee_score
from selflift.lift.bundled_weights import weights_sha256
from selflift.lift.keypoint_input import Group, Opened, camera_of, group_takes, name_people
from selflift.lift.people import LiftedPerson, Prediction, Scene, ground_height
from selflift.lift.pose_lifter import PoseLifter, check_stature_and_batch
from selflift.lift.result import LiftedPoses
from selflift.lift.smoothing import fill_gaps, smooth
from selflift.skeleton import derived_joints

# A wider Gaussian leaves no motion.
MOST_SMOOTH_S = 10.0
MOST_GAP = 10_000


def check_numbers(config: PredictConfig) -> None:
    """Validate the config's numbers before anything is read.

    Raises:
        ValueError: If one is out of range.
    """
    if not 0 <= config.smooth <= MOST_SMOOTH_S:
        raise ValueError(
            f"smooth: expected 0 to {MOST_SMOOTH_S:g} seconds, got {config.smooth}; 0 leaves the "
            "motion as it was lifted"
        )
    if not 0 <= config.fill_gap <= MOST_GAP:
        raise ValueError(f"fill_gap: expected 0 to {MOST_GAP} frames, got {config.fill_gap}")
    check_stature_and_batch(config.stature_m, config.batch_size)


def lift_people(
    config: PredictConfig,
    lifter: PoseLifter,
    opened: Opened,
    check: Callable[[], None] = lambda: None,
) -> Prediction:
    """Lift everybody in an input.

    Args:
        config: The options.
        lifter: The lifter.
        opened: The input.
        check: Called every now and then; what it raises ends the prediction.

    Raises:
        ValueError: If the input or a number is unusable, or nobody is in the input.
    """
    check_numbers(config)
    takes = _read(config, opened, check)
    names = dict(zip(map(id, takes), name_people(takes), strict=True))
    same_camera = not opened.unrelated if config.same_camera is None else config.same_camera
    smoothed = opened.followed and not opened.unrelated
    scenes: list[Scene] = []
    people: list[LiftedPerson] = []
    remarks: Counter[str] = Counter()
    with _bar(config, total=sum(map(len, takes)), desc="lifting", unit="pose") as bar:

        def on_batch(poses: int) -> None:
            bar.update(poses)
            check()

        for group in group_takes(takes):
            lifted = _lift(group, config, lifter, same_camera, opened, on_batch)
            own = _split(group, lifted, names, len(scenes))
            if smoothed:
                own = [smooth(fill_gaps(one, config.fill_gap), config.smooth) for one in own]
            scenes.append(Scene(group.name, lifted.camera, ground_height(own)))
            people += own
            remarks.update(note for note in lifted.notes if "could not be lifted" not in note)
    assumed = dict.fromkeys(line for scene in scenes for line in scene.camera.assumed)
    notes = [
        f"{note} (in {number} of {len(scenes)} scenes)" if len(scenes) > 1 else note
        for note, number in remarks.items()
    ]
    return Prediction(
        people=people,
        scenes=scenes,
        skeleton=lifter.skeleton,
        stature_m=config.stature_m,
        lifter=lifter.name,
        lifter_sha256=weights_sha256(lifter.lifter),
        smooth_s=config.smooth if smoothed else 0.0,
        assumed=(*assumed, f"everybody is {config.stature_m:g} m tall (stature_m)"),
        notes=(*_reading_notes(opened), *_layout_notes(opened, lifter), *notes,
               *_hints(people, lifter, same_camera)),
    )  # fmt: skip


def _bar(config: PredictConfig, iterable: Iterable[Take] | None = None, **options: Any) -> tqdm:
    return tqdm(iterable, leave=False, disable=None if config.progress else True, **options)


def _read(config: PredictConfig, opened: Opened, check: Callable[[], None]) -> list[Take]:
    recordings, takes = opened.recordings, []
    for take in _bar(config, recordings.takes, desc=recordings.source, total=recordings.total,
                     unit="take"):  # fmt: skip
        takes.append(take)
        check()
    if not takes:
        left_out = ", ".join(f"{n:,}: {why}" for why, n in recordings.report.dropped.items())
        raise ImportFileError(
            f"input '{config.input}': expected at least one person, got nobody; left out: "
            f"{left_out or 'nothing, the source is empty'}"
        )
    return takes


def _lift(
    group: Group,
    config: PredictConfig,
    lifter: PoseLifter,
    same_camera: bool,
    opened: Opened,
    on_batch: Callable[[int], None],
) -> LiftedPoses:
    confidence = [
        np.ones(take.poses_2d.shape[:2], np.float32) if take.confidence is None else take.confidence
        for take in group.takes
    ]
    return lifter(
        np.concatenate([take.poses_2d for take in group.takes]),
        opened.recordings.skeleton,
        # Some detectors' scores go beyond 1, where they mean no more than 1.
        np.minimum(np.concatenate(confidence), 1.0),
        camera=camera_of(group, config.camera),
        same_camera=same_camera,
        stature_m=config.stature_m,
        batch_size=config.batch_size,
        on_batch=on_batch,
    )


def _split(
    group: Group, lifted: LiftedPoses, names: dict[int, str], scene: int
) -> list[LiftedPerson]:
    people, start = [], 0
    for take in group.takes:
        poses = lifted[start : start + len(take)]
        unseen = np.zeros(len(take), bool)
        people.append(LiftedPerson(names[id(take)], scene, take.frame, take.fps, poses, unseen))
        start += len(take)
    return people


def _reading_notes(opened: Opened) -> list[str]:
    # The remedy is one of selflift prepare.
    return [note.partition("; complete=true")[0] for note in opened.recordings.report.notes]


def _layout_notes(opened: Opened, lifter: PoseLifter) -> list[str]:
    derived = derived_joints(opened.recordings.skeleton, lifter.skeleton)
    if not derived:
        return []
    means = [
        f"{joint} = {of[0]}" if len(of) == 1 else f"{joint} = mean of {', '.join(of)}"
        for joint, of in derived.items()
    ]
    return [
        f"joints of {lifter.skeleton.name} that {opened.recordings.skeleton.name} lacks are "
        f"stand-ins, on which a lifter is less exact: {'; '.join(means)}"
    ]


def _hints(people: list[LiftedPerson], lifter: PoseLifter, same_camera: bool) -> list[str]:
    hints = []
    # Knees that the lifter filled in are no evidence about the input.
    legs = [joint for leg in lifter.skeleton.legs for joint in leg]
    X = np.concatenate([
        person.poses.X_m[person.poses.lifted & ~person.poses.filled[:, legs].any(1)]
        for person in people
    ])  # fmt: skip
    if len(X):
        score = knee_score(torch.from_numpy(X), lifter.skeleton)
        if score < -CLEAR_SCORE:
            hints.append(
                f"knees bend backward (score {score:.2f}, -1 to 1): are left and right exchanged, "
                "or the layout another one? Or the lifter has the wrong depth sign"
            )
    if not same_camera:
        hints.append(
            "each pose has the vertical that the lifter sees in it, which is far less certain than "
            "one for a whole video"
        )
    return hints
