"""Drawing a prediction: contact sheet, animation, viewer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from selflift.predict.people import LiftedPerson, Prediction

# Rows of a contact sheet, and what of a name fits above two panels.
SHEET_ROWS = 6
LABEL_LENGTH = 40
# Levelled axes (x right, y up, z towards the camera) to a camera's (y down, z forward).
TO_CAMERA = np.array([1.0, -1.0, -1.0])


def render(path: Path, prediction: Prediction, title: str) -> None:
    """Draw a prediction; the ending says how.

    Args:
        path: The file.
        prediction: What to draw.
        title: What it is.

    Raises:
        ValueError: If nobody has a pose.
        OSError: If it can't be written.
    """
    people = [person for person in prediction.people if person.there.any()]
    if not people:
        raise ValueError(f"render '{path.name}': expected somebody with a pose, got nobody")
    if path.suffix.lower() == ".png":
        _sheet(path, people, prediction)
    elif path.suffix.lower() == ".html":
        _viewer(path, people, prediction, title)
    else:
        _animation(path, people, prediction)


def _sheet(path: Path, people: list[LiftedPerson], prediction: Prediction) -> None:
    from selflift.viz import SamplePose, figure_samples, save_figure

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


def _viewer(
    path: Path, people: list[LiftedPerson], prediction: Prediction, title: str
) -> None:
    from selflift.viewer import Person, write_viewer

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
