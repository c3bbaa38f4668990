"""Human3.6M as MMPose's ``preprocess_h36m.py`` writes it: ``h36m_train.npz``, ``h36m_test.npz``.

===========  =======================================================================================
``imgname``  (N,) ``"S1/S1_Directions_1.54138969/S1_Directions_1.54138969_000001.jpg"``, with the
             1-based frame of the 50 Hz video; by default every fifth (10 Hz)
``part``     (N, 17, 3), pixels of the recording and visibility
``S``        (N, 17, 4), the camera's frame, *metres*, and visibility
===========  =======================================================================================

``center`` and ``scale``, boxes for cropping, are not used. ``cameras.pkl``, beside the file or one
folder up, is compared with the calibration: ``{("S1", "54138969"): {f, c, k, p, T, w, h, ...}}``
with the optical centre ``T`` in metres.

The whole archive, some 400 MB, is read into memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from selflift.config.prepare_schema import H36MOptions
from selflift.data.recording import Recordings, Report, Take
from selflift.files.array_archives import npz_keys, read_npz, read_pickle
from selflift.files.untrusted import ImportFileError
from selflift.formats.h36m.assemble import Assembler, chosen_subjects, output_layout, settings_of
from selflift.formats.h36m.cameras import CAMERAS, view_of
from selflift.formats.h36m.protocol import action_of, clip_name

MOST_DIGITS = 12
_KEYS = {"imgname", "part", "S", "center", "scale"}
_M_TO_MM = 1000.0
_STEM = re.compile(r"(S\d+)_([A-Za-z]+(?:_\d+)?)\.(\d+)")
# px, px, -, -, mm; far below the differences between any two cameras.
_TOLERANCE = {"f": 1.0, "c": 1.0, "k": 1e-3, "p": 1e-4, "T": 10.0}


@dataclass(frozen=True)
class _Rows:
    """The rows of one recording by one camera, in the order of their frames."""

    clip: str
    camera: str
    rows: np.ndarray
    frame: np.ndarray

    @property
    def subject(self) -> str:
        return self.clip.partition(" ")[0]


def recognise(path: Path) -> bool:
    """Whether it is an archive with the arrays that MMPose writes."""
    path = Path(path)
    return path.suffix == ".npz" and set(npz_keys(path)) >= _KEYS


def open_mmpose(path: Path, options: H36MOptions) -> Recordings:
    """MMPose's annotations of Human3.6M.

    Args:
        path: The ``.npz`` file.
        options: ``lens``, ``subjects`` and ``skip`` apply.

    Raises:
        ImportFileError: If the file is missing, damaged or inconsistent, ``cameras.pkl``
            contradicts the calibration, or (while reading) unit, camera or subject can't be right.
    """
    path = Path(path)
    skeleton = output_layout(path, options, (17,))
    arrays = read_npz(path, "imgname", "part", "S")
    n = len(arrays["imgname"]) if np.ndim(arrays["imgname"]) == 1 else 0
    for key, shape, kind in (
        ("imgname", (n,), "U"), ("part", (n, 17, 3), "f"), ("S", (n, 17, 4), "f")
    ):  # fmt: skip
        array = np.asarray(arrays[key])
        if n == 0 or array.shape != shape or array.dtype.kind != kind:
            raise ImportFileError(
                f"'{path}': expected {key} of {'text' if kind == 'U' else 'floats'}, shape "
                f"{shape}, at least one row, got {array.dtype} {array.shape}; is it MMPose's file "
                "of Human3.6M?"
            )
    takes = _by_take(path, arrays.pop("imgname"))
    report = Report()
    subjects = chosen_subjects(path, options, {take.subject for take in takes}, report)
    takes = [take for take in takes if take.subject in subjects]
    calibration = _check_cameras(path, takes)
    if calibration is None:
        report.note("no cameras.pkl beside the file or one folder up; the public calibration holds")
    assembler = Assembler(options, skeleton, report, ("part", "S", "metres"), options.skip)
    return Recordings(
        source="h36m_mmpose",
        skeleton=skeleton,
        takes=_takes(path, arrays["part"], arrays["S"], takes, assembler),
        total=len(takes),
        settings=settings_of(
            options, **{"2D": "part", "3D": "S", "cameras.pkl": calibration or "none"}
        ),
        report=report,
    )


def _takes(
    path: Path, part: np.ndarray, S: np.ndarray, takes: list[_Rows], assembler: Assembler
) -> Iterator[Take]:
    for rows in takes:
        flat, solid = part[rows.rows], S[rows.rows]
        X = _M_TO_MM * solid[..., :3].astype(np.float64)
        seen = solid[..., 3] > 0
        X[~seen] = np.nan
        take = assembler.take(
            f"'{path}' ({rows.clip}, camera {rows.camera})", rows.camera, rows.clip, rows.frame,
            x=flat[..., :2], X=X, confidence=np.where(seen, flat[..., 2], 0.0),
        )  # fmt: skip
        if take is not None:
            yield take
    assembler.finish()


def _by_take(path: Path, imgname: np.ndarray) -> list[_Rows]:
    """Rows by folder, in the order in which the folders appear."""
    parts = [name.rpartition("_") for name in imgname.tolist()]
    stems, first, index = np.unique(
        np.array([stem for stem, _, _ in parts]), return_index=True, return_inverse=True
    )
    tails = [tail.removesuffix(".jpg") for _, _, tail in parts]
    for row, tail in enumerate(tails):
        if not (tail.isascii() and tail.isdigit() and len(tail) <= MOST_DIGITS):
            raise _unnamed(path, imgname[row], row)
    number = np.array([int(tail) for tail in tails])
    order = np.argsort(index, kind="stable")
    bounds = np.searchsorted(index[order], np.arange(len(stems) + 1))
    out = []
    for k in np.argsort(first):
        folders = str(stems[k]).replace("\\", "/").split("/")
        match = _STEM.fullmatch(folders[-1])
        if not match or (len(folders) > 1 and folders[-2] != folders[-1]):
            raise _unnamed(path, imgname[first[k]], first[k])
        subject, recording, camera = match[1], match[2].replace("_", " "), match[3]
        if (len(folders) > 2 and folders[-3] != subject) or camera not in CAMERAS:
            raise _unnamed(path, imgname[first[k]], first[k])
        try:
            action_of(recording)
        except ValueError as error:
            raise ImportFileError(f"'{path}': imgname in row {first[k]}: {error}") from error
        rows = order[bounds[k] : bounds[k + 1]]
        frame = number[rows] - 1
        rising = np.argsort(frame, kind="stable")
        rows, frame = rows[rising], frame[rising]
        if frame[0] < 0 or (np.diff(frame) == 0).any():
            raise ImportFileError(
                f"'{path}': expected imgname to name each frame of '{folders[-1]}' once, from 1, "
                f"got frame {frame[0] + 1 if frame[0] < 0 else 'numbers twice'}; the file is "
                "inconsistent"
            )
        out.append(_Rows(clip_name(subject, recording), camera, rows, frame))
    return out


def _unnamed(path: Path, name: str, row: int | np.integer) -> ImportFileError:
    return ImportFileError(
        f"'{path}': expected imgname like 'S1/S1_Directions_1.54138969/"
        f"S1_Directions_1.54138969_000001.jpg', its folders and file of one recording and one of "
        f"the four cameras, got '{name}' in row {row}"
    )


def _check_cameras(path: Path, takes: list[_Rows]) -> str | None:
    """Compare ``cameras.pkl`` with the calibration; where it is, or ``None``.

    Raises:
        ImportFileError: If it lacks a camera or contradicts the calibration.
    """
    file = next((p for p in (f / "cameras.pkl" for f in path.parents[:2]) if p.is_file()), None)
    if file is None:
        return None
    content = read_pickle(file)
    for subject, camera in dict.fromkeys((take.subject, take.camera) for take in takes):
        entry = content.get((subject, camera)) if isinstance(content, dict) else None
        if not isinstance(entry, dict) or not _TOLERANCE.keys() | {"w", "h"} <= entry.keys():
            raise ImportFileError(
                f"'{file}': expected the key ('{subject}', '{camera}') with "
                f"{', '.join(_TOLERANCE)}, w and h, got "
                f"{'no such key' if entry is None else 'other content'}; write it again or move it "
                "away"
            )
        view = view_of(subject, camera)
        assert view.centre_mm is not None
        # Some files store the centre, others -R times it; their lengths agree.
        expected = {
            "f": view.f_px, "c": view.c_px, "k": view.radial, "p": view.tangential,
            "T": np.linalg.norm(view.centre_mm), "w": view.size_px[0], "h": view.size_px[1],
        }  # fmt: skip
        for name, value in expected.items():
            got = _flat(entry[name])
            if name == "T":
                got = np.atleast_1d(_M_TO_MM * np.linalg.norm(got))
            wanted = np.atleast_1d(np.asarray(value, np.float64))
            if (
                got.shape != wanted.shape
                or not (np.abs(got - wanted) <= _TOLERANCE.get(name, 0)).all()
            ):
                raise ImportFileError(
                    f"'{file}': expected {'|T| in mm' if name == 'T' else name} of "
                    f"('{subject}', '{camera}') {np.round(wanted, 4).tolist()}, as calibrated, got "
                    f"{np.round(got, 4).tolist()}; the file is of other cameras or another unit"
                )
    return f"agrees ('{file.name}')"


def _flat(value: Any) -> np.ndarray:
    try:
        return np.asarray(value, np.float64).reshape(-1)
    except (TypeError, ValueError):
        return np.empty(0)
