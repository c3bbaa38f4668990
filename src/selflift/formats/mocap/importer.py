"""Motion capture files become takes: bodies in the world, resampled and filmed by a virtual rig.

ASF/AMC is the CMU database's format; most others publish BVH. File by file, forward kinematics
gives Human3.6M's 17 joints in world metres, z up; these are brought to one frame rate, and virtual
cameras film them (:mod:`selflift.data.rig`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb, isfinite
from pathlib import Path

import numpy as np

from selflift.config.data_schema import RigConfig
from selflift.config.prepare_schema import MocapOptions
from selflift.data.recording import Recordings, Report, Take
from selflift.data.rig import Clip, film_clip
from selflift.files.untrusted import ImportFileError
from selflift.formats.mocap.bvh import BvhHeader
from selflift.formats.mocap.motion_files import UNKNOWN, find_files, read_actions, recognise, some
from selflift.formats.mocap.numbered_lines import wrong
from selflift.formats.mocap.world_motion import (
    UNITS,
    UPS,
    MotionSource,
    WorldFrame,
    check_height,
    choose_frame,
    is_upright,
    open_sources,
    read_bodies,
    units_m,
)
from selflift.skeleton import H36M_17

__all__ = ["open_mocap", "recognise", "resample"]

# AMC files don't state their rate; CMU recorded nearly all at 120 Hz.
AMC_FPS = 120.0
# Beyond these nobody records motion; at the lower one, 50 frames are made of each.
LEAST_FPS, MOST_FPS = 1.0, 1e5
EXACT = 1e-6
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
    if actions and not any(source.file.clip in actions for source in sources):
        report.note(
            f"no clip is named in '{options.actions}', so every action is '{UNKNOWN}'; clips are "
            f"named like '{sources[0].file.clip}'"
        )
    lead = sources[0]
    first = read_bodies(lead)
    frame = choose_frame(lead.file.path, first[0], options.unit, options.up, lead.length)
    check_height(lead.file.path, frame.to_world(first[0]), frame)
    reader = _Reader(options, rig, actions, frame, report)
    return Recordings(
        source="mocap",
        skeleton=H36M_17,
        takes=reader.takes(sources, first),
        total=len(sources) * rig.cameras,
        settings={
            "2D": f"projected, {rig.cameras} virtual cameras around each clip",
            "3D": "forward kinematics",
            "bones": "; ".join(dict.fromkeys(source.body.rig for source in sources)),
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


def _note_sources(sources: list[MotionSource], options: MocapOptions, report: Report) -> None:
    """Note what the names and skeletons alone show."""
    lost = [source.file.path for source in sources if source.lost_thorax]
    if lost:
        report.note(
            "the thorax was lost in the conversion from ASF/AMC (the offsets of the neck and both "
            "collars are 0), so that neck, head, shoulders and arms lie about 11 cm too low: "
            f"{some(lost)}; use the ASF/AMC files of the same clips"
        )
    for source in sources:
        for joint, stands_in in source.body.guessed.items():
            report.note(f"bones of {source.body.rig}: {joint} is the middle of {stands_in}")
    if options.source_fps is None and any(source.file.asf for source in sources):
        report.note(
            f"AMC files don't state their rate: {AMC_FPS:g} Hz is assumed, as in most of CMU's; "
            "set mocap.source_fps for others"
        )
    stated = {source.fps for source in sources if source.fps is not None}
    if options.source_fps is not None and stated - {options.source_fps}:
        rates = ", ".join(f"{fps:g}" for fps in sorted(stated))
        report.note(f"BVH files state {rates} Hz; {options.source_fps:g} Hz is used instead")
    nameless = [source.file.path for source in sources if source.file.subject == UNKNOWN]
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
    frame: WorldFrame
    report: Report

    def takes(self, sources: list[MotionSource], first: tuple[np.ndarray, bool]) -> Iterator[Take]:
        """The takes of every file; the first file's bodies are read already."""
        for number, source in enumerate(sources):
            X, t_pose = read_bodies(source) if number else first
            clip = self._clip(source, X, t_pose)
            for take in film_clip(clip, self.rig, H36M_17.root):
                self.report.drop(TOO_NEAR, len(clip.frame) - len(take))
                yield take

    def _clip(self, source: MotionSource, X: np.ndarray, t_pose: bool) -> Clip:
        path, options = source.file.path, self.options
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
        clip = source.file.clip
        return Clip(
            positions=X.astype(np.float32),
            subject=source.file.subject if options.subject is None else options.subject,
            action=self.actions.get(clip, UNKNOWN),
            name=clip,
            fps=fps,
            frame=np.arange(len(X), dtype=np.int64),
        )

    def _source_fps(self, source: MotionSource) -> float:
        if self.options.source_fps is not None:
            return float(self.options.source_fps)
        if not isinstance(source.skeleton, BvhHeader):
            return AMC_FPS
        if source.fps is None or not LEAST_FPS <= source.fps <= MOST_FPS:
            bounds = "" if source.fps is None else f" of {1 / MOST_FPS:g} to {1 / LEAST_FPS:g} s"
            raise wrong(
                source.file.path,
                f"expected a Frame Time above 0{bounds}, got {source.skeleton.frame_time_s:g}; set "
                "mocap.source_fps",
            )
        return source.fps


def resample(X: np.ndarray, source_fps: float, target_fps: float) -> np.ndarray:
    """Motion ``(F, ...)`` at another rate: the frames from the first to the last of the source.

    Between two frames a joint follows the cubic that has, at both, the slope of the five frames
    around; it is exact for motion that is a cubic polynomial of time. If the target rate divides
    the source's, frames are picked, not computed.
    """
    ratio = source_fps / target_fps
    step = round(ratio)
    if step >= 1 and abs(ratio - step) < EXACT * step:
        return X[::step]
    at = np.arange(int((len(X) - 1) / ratio + EXACT) + 1) * ratio
    left = np.minimum(at.astype(int), max(len(X) - 2, 0))
    right = np.minimum(left + 1, len(X) - 1)
    s = (at - left).reshape(-1, *[1] * (X.ndim - 1))
    # Two frames more at both ends, on the polynomial (at most cubic) of the frames there.
    padded, order = X, min(4, len(X))
    weights = np.array([(-1) ** k * comb(order, k + 1) for k in range(order)], float)
    for _ in range(2):
        first = np.tensordot(weights, padded[:order], 1)
        last = np.tensordot(weights, padded[::-1][:order], 1)
        padded = np.concatenate([first[None], padded, last[None]])
    slope = (8 * (padded[3:-1] - padded[1:-3]) - (padded[4:] - padded[:-4])) / 12
    return (
        (1 + 2 * s) * (1 - s) ** 2 * X[left]
        + s**2 * (3 - 2 * s) * X[right]
        + s * (1 - s) ** 2 * slope[left]
        - s**2 * (1 - s) * slope[right]
    )
