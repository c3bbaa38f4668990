"""Motion capture as text, and the cameras of MPI-INF-3DHP."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from selflift.config import PrepareConfig
from selflift.data.recording import Report
from selflift.formats.mpi_inf_3dhp.calibration import read_calibration
from selflift.formats.registry import SOURCES
from tests.formats.mocap.acclaim_files import cmu_bones, random_amc, write_amc, write_asf
from tests.formats.mocap.bvh_files import human_joints, random_bvh, write_bvh
from tests.formats.mpi_inf_3dhp.studio import calibration_text
from tests.fuzz.target import Target
from tests.fuzz.text_damage import encoded, many, one_line, words

FRAMES = 6
HEADER = (b"Frames: 6", b"Frame Time: .0083333", b"OFFSET", b"CHANNELS", b"MOTION", b"End Site")


def _bvh(folder: Path) -> None:
    joints = human_joints(thorax=2.0)
    write_bvh(folder / "01_01.bvh", joints, random_bvh(joints, FRAMES).round(3))


def _acclaim(folder: Path) -> None:
    bones = cmu_bones()
    write_asf(folder / "01.asf", bones)
    frames = [{name: [round(v, 3) for v in values] for name, values in frame.items()}
              for frame in random_amc(bones, FRAMES)]  # fmt: skip
    write_amc(folder / "01_01.amc", frames)


def _calibration(folder: Path) -> None:
    (folder / "camera.calibration").write_text(calibration_text())


def _read_motion(folder: Path) -> None:
    SOURCES["mocap"].recognise(folder)
    config = PrepareConfig(input=str(folder))
    for take in SOURCES["mocap"].open(folder, config).takes:
        len(take)


def _read_calibration(folder: Path) -> None:
    read_calibration(folder / "camera.calibration", Report())


def nested(rng: np.random.Generator, data: bytes) -> bytes:
    """Joints in joints, or beside each other, thousands of them."""
    count = int(rng.choice([50, 1500, 20_000]))
    names = [b"j%d" % (0 if rng.random() < 0.1 else n) for n in range(count)]
    deep = rng.random() < 0.5
    channels = b"CHANNELS %d Xrotation Yrotation Zrotation" % int(rng.choice([0, 3, 3, 10**6]))
    one = b"JOINT %s { OFFSET 0 1 0 " + (channels if rng.random() < 0.5 else b"")
    text = b"\n".join(one % name + (b"" if deep else b" }") for name in names)
    text += b" }" * (count if deep else 0) + b"\n"
    at = data.find(b"JOINT")
    return data[: max(at, 0)] + text + data[max(at, 0) :]


def counts(rng: np.random.Generator, data: bytes) -> bytes:
    """Another count of frames, or another rate."""
    key = (b"Frames:", b"Frame Time:")[int(rng.integers(2))]
    value = (b"1000000000000", b"0", b"-5", b"1e300", b"1e-300", b"-0.01", b"nan", b"1", b"1000",
             b"3600", b"", b"9" * 5000)[int(rng.integers(12))]  # fmt: skip
    start = data.find(key)
    end = data.find(b"\n", start)
    return data if start < 0 else data[: start + len(key)] + b" " + value + data[end:]


def short_frames(rng: np.random.Generator, data: bytes) -> bytes:
    """Hundreds of thousands of frames of few values: joints without channels."""
    head, _, _ = data.partition(b"MOTION")
    kept = int(rng.integers(0, 3))
    lines, seen = [], 0
    for line in head.split(b"\n"):
        if b"CHANNELS" in line:
            seen += 1
            if seen > kept:
                continue
        lines.append(line)
    columns = (0, 6, 9)[kept]
    frames = int(rng.choice([10, 5000, 150_000]))
    rows = (b" ".join([b"1"] * columns) + b"\n") * frames
    return b"\n".join(lines) + b"MOTION\nFrames: %d\nFrame Time: .01\n" % frames + rows


MOTION = (words, words, many, one_line, encoded)
TEXT_MOTION = (
    Target("bvh", _bvh, _read_motion, True, (*MOTION, nested, counts, short_frames)),
    Target("asf_amc", _acclaim, _read_motion, True, MOTION),
    Target("calibration", _calibration, _read_calibration, True, MOTION),
)
