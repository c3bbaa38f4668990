"""Human3.6M in VideoPose3D's layout, and any other motion that is stored in it.

``data_3d_h36m.npz`` holds ``positions_3d = {subject: {recording: (F, 32, 3)}}``, metres in a world
with z up; ``data_2d_h36m_*.npz`` holds detections of the same recordings in the four cameras
(:mod:`selflift.formats.h36m.detections`). Every recording becomes one take per camera: the 3D in
the camera's frame, and the 2D either detected or projected through the camera's lens.

Subjects that are not Human3.6M's have no cameras of their own. The four of one of its subjects
stand in for them: each recording is moved, by one step for all its frames, so that its mean root
lies above the world's origin, which those cameras look at.
"""

from __future__ import annotations

from pathlib import Path

from selflift.config import H36MOptions
from selflift.data.recording import Recordings, Report
from selflift.files.array_archives import npz_keys
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.cameras import CAMERAS, SUBJECTS
from selflift.formats.h36m.detections import Detections, read_detections
from selflift.formats.h36m.filming import NO_2D, Filming
from selflift.formats.h36m.protocol import BAD_TAKE, is_skipped
from selflift.formats.h36m.world import KEY, LAYOUTS, Recording, WorldPoses, read_world
from selflift.skeleton import H36M_17

# Names that a line spells out before it counts the rest.
_NAMES = 5


def recognise(path: Path) -> bool:
    """Whether this is an ``.npz`` file with ``positions_3d``."""
    return path.suffix == ".npz" and KEY in npz_keys(path)


def open_videopose3d(path: Path, options: H36MOptions) -> Recordings:
    """Open a file of world positions, and a file of detections if one is named.

    Both are pickles, which can only be read whole; each recording is released once it is read.

    Args:
        path: ``data_3d_h36m.npz``, or another motion in that layout (17 or 32 joints).
        options: What to read of it, and how.

    Raises:
        ImportFileError: If a file or an option is unusable, no recording is in both files, or
            (while the takes are read) the detections don't belong to the positions.
    """
    if options.joints not in LAYOUTS:
        raise ImportFileError(f"h36m.joints: expected 17 or 32, got {options.joints}")
    if options.keypoints is not None and options.joints != H36M_17.num_joints:
        raise ImportFileError(
            f"h36m.joints: expected 17 with h36m.keypoints, got {options.joints}; detections have "
            "no more"
        )
    world = read_world(path, options.subjects)
    if options.joints > world.skeleton.num_joints:
        raise ImportFileError(
            f"'{path}': expected {options.joints} joints (h36m.joints), got "
            f"{world.skeleton.num_joints}; set h36m.joints={world.skeleton.num_joints}"
        )
    report = Report()
    recordings, detections = world.recordings, None
    if options.keypoints is not None:
        detections = read_detections(Path(options.keypoints), options.subjects)
        recordings = _paired(world, detections, report)
    strangers = list(dict.fromkeys(r.subject for r in recordings if not r.known))
    if strangers:
        _check_stand_in(path, strangers, options)
    skipped = _check_skip_list(world, options, report)
    filming = Filming(world, recordings, detections, options, report)
    joints, of = options.joints, world.skeleton.num_joints
    return Recordings(
        source="h36m_videopose3d",
        skeleton=LAYOUTS[joints],
        takes=filming.takes(),
        total=filming.total,
        settings={
            "2D": "projected from the 3D"
            if detections is None
            else f"{detections.path.name} ({detections.skeleton.name})",
            "lens": "OpenCV model" if options.lens else "none",
            "cameras": _cameras(recordings, strangers, options),
            "joints": str(joints) if joints == of else f"{joints} of the file's {of}",
            "skipped takes": ", ".join(skipped) or "none",
        },
        report=report,
    )


def _check_stand_in(path: Path, strangers: list[str], options: H36MOptions) -> None:
    if options.stand_in is None:
        raise ImportFileError(
            f"'{path}': expected subjects of {', '.join(SUBJECTS)}, got {_some(strangers)}, of "
            "whom no calibration is known; set h36m.stand_in=S1 to film them with that subject's "
            "cameras"
        )
    if options.stand_in not in SUBJECTS:
        raise ImportFileError(
            f"h36m.stand_in: expected one of {', '.join(SUBJECTS)} or null, got "
            f"'{options.stand_in}'"
        )


def _check_skip_list(world: WorldPoses, options: H36MOptions, report: Report) -> list[str]:
    """The entries of the skip list that name something; the others are noted."""
    hits = []
    for entry in options.skip:
        if any(is_skipped(r.clip, c, [entry]) for r in world.recordings for c in CAMERAS):
            hits.append(entry)
        # The published file comes without that recording, and of other subjects nothing is read.
        elif entry != BAD_TAKE and not _of_others(entry, options.subjects):
            report.note(f"h36m.skip: '{entry}' names no recording of the file")
    return hits


def _of_others(entry: str, subjects: list[str]) -> bool:
    return bool(subjects) and not any(entry.startswith(f"{subject} ") for subject in subjects)


def _paired(world: WorldPoses, detections: Detections, report: Report) -> list[Recording]:
    """The recordings that are in both files; which others there are is noted."""
    there = detections.clips
    both = [r for r in world.recordings if r.clip in there]
    if not both:
        raise ImportFileError(
            f"'{detections.path}': expected 2D of the recordings of '{world.path}', such as "
            f"'{world.recordings[0].clip}', got none of them but others, such as "
            f"'{next(iter(there))}'; are both of the same data set?"
        )
    strangers = list(dict.fromkeys(r.subject for r in both if not r.known))
    if strangers:
        raise ImportFileError(
            f"'{detections.path}': expected 2D of {', '.join(SUBJECTS)}, got 2D of "
            f"{_some(strangers)}, whose cameras are not known; name h36m.subjects without them, or "
            "leave h36m.keypoints out to project the 3D"
        )
    alone = [r for r in world.recordings if r.clip not in there]
    if alone:
        report.drop(NO_2D, sum(len(CAMERAS) * r.frames for r in alone))
        report.note(_alone("no 2D", {r.clip: r.subject for r in alone}, both))
    known = {r.clip for r in world.recordings}
    surplus = {clip: subject for clip, (subject, _) in there.items() if clip not in known}
    if surplus:
        poses = sum(there[clip][1] for clip in surplus)
        report.note(f"{_alone('no 3D', surplus, both)}; {poses:,} 2D poses left out")
    if note := detections.note():
        report.note(note)
    return both


def _alone(lack: str, clips: dict[str, str], both: list[Recording]) -> str:
    """Subjects, and single recordings of the other subjects, that only one file has."""
    paired = {r.subject for r in both}
    subjects = list(dict.fromkeys(s for s in clips.values() if s not in paired))
    single = [clip for clip, subject in clips.items() if subject in paired]
    parts = [
        f"{what} with {lack}: {', '.join(names)}"
        for what, names in (("subjects", subjects), ("recordings", single))
        if names
    ]
    return "; ".join(parts)


def _cameras(recordings: list[Recording], strangers: list[str], options: H36MOptions) -> str:
    own = "Human3.6M's four, as calibrated for each subject"
    if not strangers:
        return own
    stand_in = (
        f"Human3.6M's four as calibrated for {options.stand_in}, standing in for the unknown ones "
        f"of {_some(strangers)}; each recording is moved so that its mean root lies above the "
        "world's origin"
    )
    return f"{own}; {stand_in}" if any(r.known for r in recordings) else stand_in


def _some(names: list[str]) -> str:
    rest = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {rest} more" if rest > 0 else "")
