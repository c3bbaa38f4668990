"""Plain arrays of keypoints in ``.npy``, ``.npz`` and HDF5 files.

The keypoints are ``(K, 2)``, ``(T, K, 2)`` or ``(T, P, K, 2)``, pixels, of ``T`` frames, ``P``
people and ``K`` joints; with 3 as the last size, the third number is the joint's confidence. A
missing joint is NaN, at (0, 0), or of confidence 0. The place on the axis of people is the person's
identity. A file of several arrays names them:

===========================  ==================  ==================================================
array                        shape               content
===========================  ==================  ==================================================
``keypoints``, ``poses_2d``  as above            required
``confidence``, ``scores``   without the last    optional; if there is no third number
``frame``                    (T,)                optional; rising whole numbers; 0, 1, ... if absent
``track``                    (T, P)              optional; identities, -1 where there is none
``fps``, ``f_px``            one number          optional
``size_px``                  (2,)                optional; width and height of the image
``layout``                   text                optional; the layout's name
===========================  ==================  ==================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from selflift.config.prepare_schema import KeypointOptions
from selflift.data.pose_set_file import FORMAT
from selflift.data.recording import Recordings, Report
from selflift.files.array_archives import npz_keys, read_npz
from selflift.files.hdf5 import Hdf5File, open_hdf5
from selflift.files.untrusted import ImportFileError, UntrustedError
from selflift.formats.keypoints.layout_recognition import Layout, choose_layout, unambiguous
from selflift.formats.keypoints.person_table import NO_TRACK, Detections
from selflift.formats.keypoints.reader import recordings

KEYPOINTS = ("keypoints", "poses_2d")
CONFIDENCE = ("confidence", "scores")
OTHERS = ("frame", "track", "fps", "f_px", "size_px", "layout")
KEYS = (*KEYPOINTS, *CONFIDENCE, *OTHERS)
HDF5 = (".h5", ".hdf5")
# Above any score of a detector; places in millimetres are larger.
MOST_CONFIDENCE = 100.0
LONGEST_NAME = 80


def recognise(path: Path) -> bool:
    """Return whether it is an ``.npy`` file, or an archive of one array or of the arrays above."""
    if not path.is_file():
        return False
    if path.suffix == ".npy":
        return True
    if path.suffix == ".npz":
        return _fits(npz_keys(path))
    if path.suffix in HDF5:
        try:
            with open_hdf5(path) as file:
                return file.attrs.get("format") != FORMAT and _fits(file.names())
        except Exception:  # h5py raises many kinds, depending on the corruption
            return False
    return False


def open_keypoints(path: Path, options: KeypointOptions) -> Recordings:
    """Open such a file, which is one clip."""
    content = _read(path)
    options = _with_the_files(path, options, content)
    keypoints, confidence = _split(path, content)
    layout = _layout(path, keypoints.shape[2], options, content)
    table, empty = _table(path, keypoints, confidence, content, layout.skeleton.num_joints)

    def read(report: Report) -> Iterator[Detections]:
        if "confidence" not in content and content["keypoints"].shape[-1] == 2:
            report.note(
                "the file has no confidences; joints with a place count as seen, with confidence 1"
            )
        report.drop("nobody in the frame", empty)
        yield table

    shape = " x ".join(map(str, content["keypoints"].shape))
    return recordings(
        "arrays", options, layout, read, videos=1, has_size=table.size_px is not None,
        settings={"array": f"{shape}, {len(keypoints):,} frames of {keypoints.shape[1]} people"},
    )  # fmt: skip


def _fits(keys: list[str]) -> bool:
    known = set(keys) <= set(KEYS) and any(key in keys for key in KEYPOINTS)
    # A single array may have any name, but 3D poses belong to other formats.
    return known or (len(keys) == 1 and keys[0] != "positions_3d")


def _read(path: Path) -> dict[str, Any]:
    """Read the arrays, by the first of their names."""
    if not path.is_file():
        raise ImportFileError(f"'{path}': expected a file of arrays, got a folder or nothing")
    found = _read_hdf5(path) if h5py.is_hdf5(path) else _read_numpy(path)
    if len(found) == 1:
        found = {KEYPOINTS[0]: next(iter(found.values()))}
    out: dict[str, Any] = {}
    for key, array in found.items():
        name = next((names[0] for names in (KEYPOINTS, CONFIDENCE) if key in names), key)
        if name in out:
            raise ImportFileError(
                f"'{path}': expected one array of {name}, got two; keep one of them"
            )
        out[name] = array
    if "keypoints" not in out:
        raise ImportFileError(
            f"'{path}': expected an array keypoints or poses_2d, got {', '.join(found) or 'none'}; "
            "name the array so"
        )
    return out


def _read_numpy(path: Path) -> dict[str, Any]:
    if path.suffix == ".npz":
        keys = npz_keys(path)
        return read_npz(path, *(keys if len(keys) == 1 else [key for key in keys if key in KEYS]))
    try:
        # Mapped, so that a corrupt header can't ask for more memory than the file has bytes.
        return {"keypoints": np.lib.format.open_memmap(path, mode="r")}
    except Exception as error:  # NumPy raises many kinds, depending on the corruption
        reason = " ".join(str(error).split())[:120]
        if "object" in reason:
            raise ImportFileError(
                f"'{path}': expected an array of numbers, got Python objects, which are not read; "
                "save one array with all frames"
            ) from error
        raise ImportFileError(
            f"'{path}': expected an array of numbers (.npy), got a file that is corrupt, cut short "
            f"or of another format ({reason}); write it again with numpy.save"
        ) from error


def _read_hdf5(path: Path) -> dict[str, Any]:
    try:
        with open_hdf5(path) as file:
            have = [key for key in file.names() if file.is_dataset(key)]
            keys = have if len(have) == 1 else [key for key in have if key in KEYS]
            return {key: _read_dataset(file, key) for key in keys}
    except UntrustedError as error:
        raise ImportFileError(f"'{path}': {error}") from error
    except Exception as error:  # h5py raises many kinds, depending on the corruption
        reason = " ".join(str(error).split())[:120]
        raise ImportFileError(
            f"'{path}': expected HDF5, got a file that is corrupt or cut short ({reason}); write "
            "it again"
        ) from error


def _read_dataset(file: Hdf5File, key: str) -> Any:
    return np.array(file.texts(key)) if file.has_texts(key) else file.array(key)


def _with_the_files(
    path: Path, options: KeypointOptions, content: Mapping[str, Any]
) -> KeypointOptions:
    """Add the rate, the focal length and the layout that a file states to the options."""
    numbers: dict[str, Any] = {}
    for name in ("fps", "f_px"):
        if name not in content:
            continue
        number = np.asarray(content[name])
        if number.size != 1 or number.dtype.kind not in "iuf":
            raise ImportFileError(
                f"'{path}': expected {name} as one number, got {number.shape} of {number.dtype}"
            )
        given = getattr(options, name)
        if given not in (getattr(KeypointOptions, name), float(number.item())):
            raise ImportFileError(
                f"'{path}': expected {name} = {number.item():g}, as the file says, got "
                f"keypoints.{name}={given:g}; leave it out"
            )
        numbers[name] = float(number.item())
    options = replace(options, **numbers)
    if "layout" in content and options.layout is None:
        names = np.asarray(content["layout"]).reshape(-1)
        if len(names) != 1:
            raise ImportFileError(f"'{path}': expected layout as one name, got {len(names)}")
        options = replace(options, layout=str(names[0])[:LONGEST_NAME])
    return options


def _split(path: Path, content: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Split into keypoints ``(T, P, K, 2)`` and confidences ``(T, P, K)``."""
    array = _numbers(path, "keypoints", content["keypoints"])
    if array.ndim not in (2, 3, 4) or array.shape[-1] not in (2, 3) or array.size == 0:
        raise ImportFileError(
            f"'{path}': expected keypoints of shape (T, K, 2), (T, K, 3), or with an axis of "
            f"people (T, P, K, 2), (T, P, K, 3), got {array.shape}; reshape or transpose them"
        )
    if "confidence" in content:
        confidence = _numbers(path, "confidence", content["confidence"])
        if array.shape[-1] == 3 or confidence.shape != array.shape[:-1]:
            raise ImportFileError(
                f"'{path}': expected confidence of shape {array.shape[:-1]} beside keypoints of x "
                f"and y, got {confidence.shape} beside {array.shape}; give confidences once"
            )
    elif array.shape[-1] == 3:
        confidence = array[..., 2]
    else:
        confidence = np.ones(array.shape[:-1], np.float32)
    low, high = np.nanmin(confidence, initial=0.0), np.nanmax(confidence, initial=0.0)
    if low < 0 or high > MOST_CONFIDENCE:
        raise ImportFileError(
            f"'{path}': expected confidences of 0 or more (the third number of each joint), got "
            f"{low:g} to {high:g}; if these are 3D poses, give x and y in pixels alone"
        )
    people = {2: (1, 1), 3: (len(array), 1), 4: array.shape[:2]}[array.ndim]
    shape = (*people, array.shape[-2])
    return array[..., :2].reshape(*shape, 2), confidence.reshape(shape)


def _numbers(path: Path, name: str, given: Any) -> np.ndarray:
    if not isinstance(given, np.ndarray) or given.dtype.kind not in "iuf":
        is_array = isinstance(given, np.ndarray)
        got = f"{given.dtype} {given.shape}" if is_array else type(given).__name__
        raise ImportFileError(f"'{path}': expected {name} as an array of numbers, got {got}")
    # Numbers too large for float32 become Inf, which is outside any image.
    with np.errstate(over="ignore"):
        return np.asarray(given, np.float32)


def _layout(path: Path, count: int, options: KeypointOptions, content: Mapping[str, Any]) -> Layout:
    known = unambiguous(path, count) if options.layout is None else {}
    layout = choose_layout(f"'{path}'", count, options.layout, known=known)
    if "layout" in content and options.layout is not None:
        return replace(layout, why="as the file says")
    return layout


def _table(
    path: Path, keypoints: np.ndarray, confidence: np.ndarray, content: dict[str, Any], keep: int
) -> tuple[Detections, int]:
    """Make the table of everybody who is there; also count the frames without anybody."""
    frames, people, joints, _ = keypoints.shape
    frame = _whole(path, "frame", content.get("frame", np.arange(frames)), (frames,))
    if (np.diff(frame) <= 0).any() or frame[0] < 0:
        raise ImportFileError(
            f"'{path}': expected frame to rise from 0 or more, got {frame[:4].tolist()}...; sort "
            "the frames and leave out what is twice"
        )
    own = np.broadcast_to(np.arange(people) + 1, (frames, people))
    track = _whole(path, "track", content.get("track", own), (frames, people))
    size = None
    if "size_px" in content:
        width, height = _whole(path, "size_px", content["size_px"], (2,)).tolist()
        size = (width, height)
    there = (confidence > 0) & np.isfinite(keypoints).all(-1) & (keypoints != 0).any(-1)
    somebody = there.any(-1)
    rows = somebody.reshape(-1)
    table = Detections(
        video=path.stem,
        frame=np.repeat(frame, people)[rows],
        keypoints=keypoints.reshape(-1, joints, 2)[rows, :keep],
        confidence=confidence.reshape(-1, joints)[rows, :keep],
        track=np.maximum(track.reshape(-1)[rows], NO_TRACK),
        size_px=size,
    )
    return table, int((~somebody.any(-1)).sum())


def _whole(path: Path, name: str, given: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(given)
    fits = array.shape == shape and array.dtype.kind in "iuf"
    if not fits or not (np.isfinite(array).all() and (array == np.rint(array)).all()):
        raise ImportFileError(
            f"'{path}': expected {name} as whole numbers of shape {shape}, got {array.shape} of "
            f"{array.dtype}"
        )
    return array.astype(np.int64)
