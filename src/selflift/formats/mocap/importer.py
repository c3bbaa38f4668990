"""Motion capture files become takes: bodies in the world, resampled and filmed by a virtual rig.

ASF/AMC is what the CMU database publishes; BVH is what most others do. File by file, forward
kinematics gives Human3.6M's 17 joints in world metres, z up; these are brought to one frame rate,
and virtual cameras look at them (:mod:`selflift.data.rig`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from selflift.config.data_schema import RigConfig
from selflift.config.prepare_schema import MocapOptions
from selflift.data.recording import Recordings, Report, Take
from selflift.data.rig import Clip, film_clip
from selflift.files.untrusted import ImportFileError
from selflift.formats.mocap.bodies import Source, open_sources, read_bodies
from selflift.formats.mocap.bvh import BvhHeader
from selflift.formats.mocap.discover import UNKNOWN, find_files, read_actions, recognise, some
from selflift.formats.mocap.resample import resample
from selflift.formats.mocap.text import wrong
from selflift.formats.mocap.world import (
    UNITS,
    UPS,
    Frame,
    check_height,
    choose_frame,
    is_upright,
    units_m,
)
from selflift.skeleton import H36M_17

__all__ = ["open_mocap", "recognise"]

# AMC files don't tell their rate; CMU recorded nearly all at 120 Hz.
AMC_FPS = 120.0
# Beyond these nobody records motion; at the lower one, 50 frames are made of each.
LEAST_FPS, MOST_FPS = 1.0, 1e5
T_POSE = "T-pose before the motion"
TOO_NEAR = "too near to a camera of the virtual rig"


def open_mocap(path: Path, options: MocapOptions, rig: RigConfig) -> Recordings:
    """Open motion capture files.

    Every file's skeleton and the first file's motion are read at once, the rest with the takes.

    Args:
        path: A motion file, an ASF file (for its AMC files) or a folder.
        options: How to read them.
        rig: The virtual cameras.

    Raises:
        ImportFileError: If an option or a file is wrong; also while the takes are read.
    """
    _check_options(options)
    report = Report()
    actions = {} if options.actions is None else read_actions(Path(options.actions))
    asf = None if options.asf is None else Path(options.asf)
    sources = open_sources(find_files(path, asf, report), options.bones or {})
    _note_sources(sources, options, report)
    if actions and not any(source.found.clip in actions for source in sources):
        report.note(
            f"no clip is named in '{options.actions}', so every action is '{UNKNOWN}'; clips are "
            f"named like '{sources[0].found.clip}'"
        )
    lead = sources[0]
    first = read_bodies(lead)
    frame = choose_frame(lead.found.path, first[0], options.unit, options.up, lead.length)
    check_height(lead.found.path, frame.to_world(first[0]), frame)
    reader = _Reader(options, rig, actions, frame, report)
    return Recordings(
        source="mocap",
        skeleton=H36M_17,
        takes=reader.takes(sources, first),
        total=len(sources) * rig.cameras,
        settings={
            "2D": f"projected, {rig.cameras} virtual cameras around each clip",
            "3D": "forward kinematics",
            "bones": "; ".join(dict.fromkeys(source.bones.rig for source in sources)),
            "unit": f"{frame.unit} ({frame.metres:.6g} m)",
            "up": frame.up,
            "fps": "as recorded" if options.fps is None else f"{options.fps:g}",
        },
        report=report,
    )


def _check_options(options: MocapOptions) -> None:
    for key, value, known in (
        ("unit", options.unit, ("auto", *UNITS)),
        ("up", options.up, ("auto", *UPS)),
    ):
        if value not in known:
            raise ImportFileError(f"mocap.{key}: expected one of {', '.join(known)}, got '{value}'")
    for key, fps in (("fps", options.fps), ("source_fps", options.source_fps)):
        if fps is not None and not (isfinite(fps) and fps > 0):
            raise ImportFileError(f"mocap.{key}: expected a rate above 0 or none, got {fps}")


def _note_sources(sources: list[Source], options: MocapOptions, report: Report) -> None:
    """What the names and skeletons alone tell."""
    lost = [source.found.path for source in sources if source.lost_thorax]
    if lost:
        report.note(
            "the thorax was lost in the conversion from ASF/AMC (the offsets of the neck and both "
            "collars are 0), so that neck, head, shoulders and arms lie about 11 cm too low: "
            f"{some(lost)}; use the ASF/AMC files of the same clips"
        )
    for source in sources:
        for joint, stands_in in source.bones.guessed.items():
            report.note(f"bones of {source.bones.rig}: {joint} is the middle of {stands_in}")
    if options.source_fps is None and any(source.found.asf for source in sources):
        report.note(
            f"AMC files don't tell their rate: {AMC_FPS:g} Hz is assumed, as in most of CMU's; set "
            "mocap.source_fps for others"
        )
    told = {source.fps for source in sources if source.fps is not None}
    if options.source_fps is not None and told - {options.source_fps}:
        rates = ", ".join(f"{fps:g}" for fps in sorted(told))
        report.note(f"BVH files tell {rates} Hz; {options.source_fps:g} Hz is taken instead")
    nameless = [source.found.path for source in sources if source.found.subject == UNKNOWN]
    if nameless and options.subject is None:
        report.note(
            f"no subject in the names, who is '{UNKNOWN}' then: {some(nameless)}; put the files of "
            "each person into a folder of their name, or set mocap.subject"
        )


@dataclass(frozen=True)
class _Reader:
    """Reads files into takes, all by the same choices."""

    options: MocapOptions
    rig: RigConfig
    actions: dict[str, str]
    frame: Frame
    report: Report

    def takes(self, sources: list[Source], first: tuple[np.ndarray, bool]) -> Iterator[Take]:
        """The takes of every file; the first file's bodies are read already."""
        for number, source in enumerate(sources):
            X, t_pose = read_bodies(source) if number else first
            clip = self._clip(source, X, t_pose)
            for take in film_clip(clip, self.rig, H36M_17.root):
                self.report.drop(TOO_NEAR, len(clip.frame) - len(take))
                yield take

    def _clip(self, source: Source, X: np.ndarray, t_pose: bool) -> Clip:
        path, options = source.found.path, self.options
        if t_pose and options.drop_t_pose:
            X = X[1:]
            self.report.drop(T_POSE, self.rig.cameras)
        elif t_pose:
            self.report.note("the first frame of at least one file is a T-pose, and is kept")
        frame = self.frame._replace(metres=units_m(source.length)[self.frame.unit])
        X = frame.to_world(X)
        check_height(path, X, frame)
        if not is_upright(X):
            self.report.note(
                f"'{path}': heads lie below the ankles in most frames with {frame.up} up; if "
                "nobody stands on their hands there, set mocap.up"
            )
        fps = self._source_fps(source)
        if options.fps is not None:
            if options.fps > fps:
                self.report.note(
                    f"recordings at {fps:g} Hz were interpolated to {options.fps:g} Hz, which adds "
                    "frames but no motion; set mocap.fps to the recordings' rate"
                )
            X, fps = resample(X, fps, options.fps), float(options.fps)
        clip = source.found.clip
        return Clip(
            positions=X.astype(np.float32),
            subject=source.found.subject if options.subject is None else options.subject,
            action=self.actions.get(clip, UNKNOWN),
            name=clip,
            fps=fps,
            frame=np.arange(len(X), dtype=np.int64),
        )

    def _source_fps(self, source: Source) -> float:
        if self.options.source_fps is not None:
            return float(self.options.source_fps)
        if not isinstance(source.figure, BvhHeader):
            return AMC_FPS
        if source.fps is None or not LEAST_FPS <= source.fps <= MOST_FPS:
            bounds = "" if source.fps is None else f" of {1 / MOST_FPS:g} to {1 / LEAST_FPS:g} s"
            raise wrong(
                source.found.path,
                f"expected a Frame Time above 0{bounds}, got {source.figure.frame_time_s:g}; set "
                "mocap.source_fps",
            )
        return source.fps
