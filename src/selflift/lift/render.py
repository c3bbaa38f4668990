"""Drawings of a prediction: contact sheet, animation, viewer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from selflift.lift.people import LiftedPerson, Prediction
from selflift.viewer import Person, write_viewer
from selflift.viz import SamplePose, animate, figure_samples, save_animation, save_figure

# Rows of a contact sheet, and the characters of a name that fit above two panels.
SHEET_ROWS = 6
LABEL_LENGTH = 40
# More frames make files that nobody opens; more people, panels that are too small to read.
MOST_FRAMES, MOST_PEOPLE = 20_000, 8
# Levelled axes (x right, y up, z towards the camera) to a camera's (y down, z forward).
TO_CAMERA = np.array([1.0, -1.0, -1.0])


def render(path: Path, prediction: Prediction, title: str) -> None:
    """Draw a prediction in the format of the file's ending.

    Raises:
        ValueError: If nobody has a pose.
        OSError: If it can't be written.
    """
    people = [person for person in prediction.people if person.there.any()]
    if not people:
        raise ValueError(f"render '{path}': expected somebody with a pose, got nobody")
    if path.suffix.lower() == ".png":
        _sheet(path, people, prediction)
    elif path.suffix.lower() == ".html":
        _viewer(path, people, prediction, title)
    else:
        _animation(path, people, prediction)


def _sheet(path: Path, people: list[LiftedPerson], prediction: Prediction) -> None:
    rows = [(person, t) for person in people for t in np.flatnonzero(person.there)]
    chosen = np.unique(np.linspace(0, len(rows) - 1, SHEET_ROWS).round().astype(int))
    samples = [
        SamplePose(
            person.poses.pose_2d[t].astype(np.float64),
            person.poses.levelled_m[t].astype(np.float64) * TO_CAMERA,
            f"{person.name[-LABEL_LENGTH:]}\nframe {person.frame[t]}",
            prediction.skeleton,
        )
        for person, t in (rows[i] for i in chosen)
    ]
    save_figure(figure_samples(samples), path)


def _viewer(path: Path, people: list[LiftedPerson], prediction: Prediction, title: str) -> None:
    shown = [
        Person(
            person.name,
            person.frame[person.there],
            person.absolute_m[person.there].astype(np.float64),
            person.poses.pose_2d[person.there].astype(np.float64),
            person.poses.filled[person.there],
        )
        for person in people
    ]
    size = prediction.scenes[people[0].scene].camera.size_px
    write_viewer(
        path,
        shown,
        prediction.skeleton,
        fps=people[0].fps,
        title=title,
        size_px=(round(size[0]), round(size[1])),
        notes=(*prediction.assumed, *prediction.notes),
    )


def _animation(path: Path, people: list[LiftedPerson], prediction: Prediction) -> None:
    frame, X, x = timeline(people, prediction)
    step = int(frame[1] - frame[0]) if len(frame) > 1 else 1
    save_animation(animate(X, x, prediction.skeleton, people[0].fps / step, up="y"), path)


def timeline(
    people: list[LiftedPerson], prediction: Prediction
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bring the people of one scene, the one with most poses, onto one axis of time.

    Returns:
        Frames ``(T,)`` of one distance, levelled places on the ground ``(P, T, J, 3)`` and pixels
        ``(P, T, J, 2)``, NaN where somebody is not there. Of many people those who are seen
        longest.

    Raises:
        ValueError: If the frames reach too far for an animation.
    """
    poses = np.bincount([p.scene for p in people], [p.there.sum() for p in people])
    scene = int(poses.argmax())
    own = [person for person in people if person.scene == scene]
    own = sorted(own, key=lambda person: -int(person.there.sum()))[:MOST_PEOPLE]
    step = min(person.step for person in own)
    first = min(int(person.frame[0]) for person in own)
    last = max(int(person.frame[-1]) for person in own)
    if (last - first) // step >= MOST_FRAMES:
        raise ValueError(
            f"render: expected at most {MOST_FRAMES:,} frames for an animation, got frames "
            f"{first:,} to {last:,}; draw .html, or give a part of the video"
        )
    frame = np.arange(first, last + 1, step)
    J = prediction.skeleton.num_joints
    X = np.full((len(own), len(frame), J, 3), np.nan)
    x = np.full((len(own), len(frame), J, 2), np.nan)
    for p, person in enumerate(own):
        rows = np.flatnonzero(person.there & np.isin(person.frame, frame))
        at = (person.frame[rows] - first) // step
        X[p, at] = person.absolute_m[rows]
        x[p, at] = person.poses.pose_2d[rows]
    X[..., 1] -= prediction.scenes[scene].ground_m
    return frame, X, x
