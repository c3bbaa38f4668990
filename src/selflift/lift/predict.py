"""From a config to a prediction: read, lift, fill gaps, smooth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import torch
from tqdm import tqdm

from selflift.config import PredictConfig
from selflift.data.recording import Take
from selflift.files.untrusted import ImportFileError
from selflift.geometry.anatomy import CLEAR_SCORE, knee_score
from selflift.lift import LiftedPoses, PoseLifter
from selflift.lift.chosen_weights import weights_sha256
from selflift.lift.keypoint_input import Group, Opened, camera_of, group_takes, name_people
from selflift.lift.people import LiftedPerson, Prediction, Scene, ground_height
from selflift.lift.smoothing import fill_gaps, smooth
from selflift.skeleton import derived_joints

# A Gaussian wider than this leaves no motion.
MOST_SMOOTH_S = 10.0
MOST_GAP = 10_000


def check_numbers(config: PredictConfig) -> None:
    """Refuse numbers that are out of range, before anything is read.

    Raises:
        ValueError: If one is.
    """
    if not 0 <= config.smooth <= MOST_SMOOTH_S:
        raise ValueError(
            f"smooth: expected 0 to {MOST_SMOOTH_S:g} seconds, got {config.smooth}; 0 leaves the "
            "motion as it was lifted"
        )
    if not 0 <= config.fill_gap <= MOST_GAP:
        raise ValueError(f"fill_gap: expected 0 to {MOST_GAP} frames, got {config.fill_gap}")
    if config.batch_size is not None and config.batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {config.batch_size}")
    if not 0.1 <= config.stature_m <= 10:
        raise ValueError(
            f"stature_m: expected a body height in metres, as in 1.70, got {config.stature_m}"
        )


def predict(
    config: PredictConfig,
    lifter: PoseLifter,
    opened: Opened,
    check: Callable[[], None] | None = None,
) -> Prediction:
    """Lift everybody in an input.

    Args:
        config: How.
        lifter: By what.
        opened: The input.
        check: Called every now and then; what it raises ends the prediction.

    Raises:
        ValueError: If the input or a number is unusable, or nobody is in the input.
    """
    check_numbers(config)
    recordings = opened.recordings
    hidden = None if config.progress else True
    takes = []
    reading = tqdm(recordings.takes, recordings.source, recordings.total, leave=False,
                   unit="take", disable=hidden)  # fmt: skip
    for take in reading:
        takes.append(take)
        if check is not None:
            check()
    if not takes:
        left_out = ", ".join(f"{n:,}: {why}" for why, n in recordings.report.dropped.items())
        raise ImportFileError(
            f"input '{config.input}': expected at least one person, got nobody; left out: "
            f"{left_out or 'nothing, the source is empty'}"
        )
    names = dict(zip(map(id, takes), name_people(takes), strict=True))
    same_camera = not opened.unrelated if config.same_camera is None else config.same_camera
    scenes: list[Scene] = []
    people: list[LiftedPerson] = []
    said: Counter[str] = Counter()
    with tqdm(total=sum(map(len, takes)), desc="lifting", leave=False, unit="pose",
              disable=hidden) as bar:  # fmt: skip

        def on_batch(poses: int) -> None:
            bar.update(poses)
            if check is not None:
                check()

        for group in group_takes(takes):
            lifted = _lift(group, config, lifter, same_camera, opened, on_batch)
            own = _split(group, lifted, [names[id(take)] for take in group.takes], len(scenes))
            if opened.followed and not opened.unrelated:
                own = [smooth(fill_gaps(one, config.fill_gap), config.smooth) for one in own]
            scenes.append(Scene(group.name, lifted.camera, ground_height(own)))
            people += own
            said.update(lifted.camera.assumed)
            said.update(note for note in lifted.notes if "could not be lifted" not in note)
    assumed = tuple(dict.fromkeys(line for scene in scenes for line in scene.camera.assumed))
    assumed = (*assumed, f"everybody is {config.stature_m:g} m tall (stature_m)")
    notes = [
        f"{note} (in {number} of {len(scenes)} scenes)" if len(scenes) > 1 else note
        for note, number in said.items()
        if note not in assumed
    ]
    return Prediction(
        people=people,
        scenes=scenes,
        skeleton=lifter.skeleton,
        stature_m=config.stature_m,
        lifter=lifter.name,
        lifter_sha256=weights_sha256(lifter),
        smooth_s=config.smooth if opened.followed and not opened.unrelated else 0.0,
        assumed=assumed,
        notes=(*_reading_notes(opened), *_layout_notes(opened, lifter), *notes,
               *_hints(people, lifter, same_camera)),
    )  # fmt: skip


def _lift(
    group: Group,
    config: PredictConfig,
    lifter: PoseLifter,
    same_camera: bool,
    opened: Opened,
    on_batch: Callable[[int], None],
) -> LiftedPoses:
    confidence = np.concatenate([_confidence(take) for take in group.takes])
    return lifter(
        np.concatenate([take.poses_2d for take in group.takes]),
        opened.recordings.skeleton,
        # Some detectors' scores go beyond 1, where they mean no more than 1.
        np.minimum(confidence, 1.0),
        camera=camera_of(group, config.camera),
        same_camera=same_camera,
        stature_m=config.stature_m,
        batch_size=config.batch_size,
        on_batch=on_batch,
    )


def _confidence(take: Take) -> np.ndarray:
    if take.confidence is None:
        return np.ones(take.poses_2d.shape[:2], np.float32)
    return take.confidence


def _split(group: Group, lifted: LiftedPoses, names: list[str], scene: int) -> list[LiftedPerson]:
    ends = np.cumsum([len(take) for take in group.takes])
    return [
        LiftedPerson(
            name, scene, take.frame, take.fps, lifted[end - len(take) : end],
            np.zeros(len(take), bool),
        )
        for name, take, end in zip(names, group.takes, ends, strict=True)
    ]  # fmt: skip


def _reading_notes(opened: Opened) -> list[str]:
    # What remains is for those who convert.
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
    # Knees that the lifter filled in itself say nothing of the input.
    legs = [joint for leg in lifter.skeleton.legs for joint in leg]
    seen = [
        person.poses.X_m[person.poses.lifted & ~person.poses.filled[:, legs].any(1)]
        for person in people
    ]
    X = np.concatenate(seen) if seen else np.zeros((0, lifter.skeleton.num_joints, 3))
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
