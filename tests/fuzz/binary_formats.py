"""Other people's binary files: HDF5, npz, npy, pickles, MATLAB's, CDF."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from selflift.config import H36MOptions, KeypointOptions, PredictConfig, PrepareConfig
from selflift.formats.registry import find_source
from selflift.lift.keypoint_input import open_input
from tests.conftest import STANDING
from tests.formats.h36m import test_cdf as cdf
from tests.formats.h36m import test_h36m_fetch as fetch
from tests.formats.h36m import test_mmpose as mmpose
from tests.formats.h36m import test_motionbert as motionbert
from tests.formats.h36m import videopose3d_files as videopose3d
from tests.formats.keypoints import test_detectron as detectron
from tests.formats.keypoints import test_videopose3d_custom as custom
from tests.formats.mpi_inf_3dhp import studio
from tests.fuzz.archive_damage import NPY, NPZ, PICKLE
from tests.fuzz.hdf5_damage import HDF5
from tests.fuzz.own_formats import read_source
from tests.fuzz.target import Target

POSITIONS = {
    "S1": {"Directions 1": videopose3d.as_32(videopose3d.motion(STANDING, 6, 1))},
    "S9": {"Sitting 1": videopose3d.as_32(videopose3d.motion(STANDING, 4, 3))},
}
PEOPLE = np.random.default_rng(0).uniform(10, 250, (4, 3, 17, 3)).astype(np.float32)
PEOPLE[..., 2] /= 250


def _write_pair(folder: Path) -> None:
    videopose3d.write_3d(folder / "data_3d_h36m.npz", POSITIONS)
    poses = videopose3d.detected(POSITIONS)
    videopose3d.write_2d(folder / "data_2d_h36m_cpn.npz", poses)


def _read_pair(folder: Path) -> None:
    options = H36MOptions(keypoints=str(folder / "data_2d_h36m_cpn.npz"))
    path = folder / "data_3d_h36m.npz"
    config = PrepareConfig(input=str(path), h36m=options)
    deque(find_source(None, path).open(path, config).takes, maxlen=0)


def _write_fetch(folder: Path) -> None:
    content = fetch.arrays(action=12, subaction=2)
    fetch.write(folder / "processed" / "S1" / "TakingPhoto-2", content)


def _write_cdf(folder: Path) -> None:
    cdf.write_take(folder, "Directions 1", "54138969")


def _write_arrays(folder: Path) -> None:
    with h5py.File(folder / "walk.h5", "w") as file:
        file["keypoints"], file["confidence"] = PEOPLE[..., :2], PEOPLE[..., 2]
        file["fps"], file["size_px"], file["layout"] = 25.0, [640, 480], "coco_17"
        file["frame"], file["track"] = np.arange(4), np.ones((4, 3), int) * [1, 2, 3]


def _write_arrays_npz(folder: Path) -> None:
    np.savez_compressed(
        folder / "walk.npz", keypoints=PEOPLE[..., :2], confidence=PEOPLE[..., 2], fps=25.0,
        size_px=[640, 480], layout="coco_17", frame=np.arange(4), f_px=500.0,
    )  # fmt: skip


def _predict(name: str) -> Callable[[Path], object]:
    """Read as ``selflift predict`` does."""

    def read(folder: Path) -> None:
        options = KeypointOptions(layout=None if name == "walk.npz" else "coco_17")
        config = PredictConfig(input=str(folder / name), keypoints=options)
        deque(open_input(config).recordings.takes, maxlen=0)

    return read


def _write_custom(folder: Path) -> None:
    tracks = {name: custom.custom(PEOPLE[:, n, :, :2]) for n, name in enumerate("ab")}
    custom.write(folder, tracks)


def _write_detectron(folder: Path) -> None:
    frames = [[(PEOPLE[t, n], 0.9) for n in range(3)] for t in range(3)]
    detectron.write(folder / "walk.npz", [*frames, []])


def _write_test(folder: Path) -> None:
    studio.write_scene(folder, "TS1", userblock=True)


BINARY_FORMATS = (
    Target("fetch", _write_fetch, read_source, damages=HDF5),
    Target("mpi_inf_3dhp_test", _write_test, read_source, damages=HDF5),
    Target("mpi_inf_3dhp_train", studio.write_train, read_source, share=0.02),
    Target("cdf", _write_cdf, read_source),
    Target("videopose3d", _write_pair, _read_pair, damages=NPZ),
    Target("h36m_mmpose", mmpose.write, lambda f: read_source(f / "h36m_train.npz"), damages=NPZ),
    Target("motionbert", lambda f: motionbert.write(f, motionbert.content()),
           lambda f: read_source(f / "h36m_sh_conf_cam_source_final.pkl"), damages=PICKLE),
    Target("custom", _write_custom, _predict("data_2d_custom_mine.npz"), damages=NPZ),
    Target("detectron", _write_detectron, _predict("walk.npz"), damages=NPZ),
    Target("arrays_hdf5", _write_arrays, _predict("walk.h5"), damages=HDF5),
    Target("arrays_npz", _write_arrays_npz, _predict("walk.npz"), damages=NPZ),
    Target("arrays_npy", lambda f: np.save(f / "walk.npy", PEOPLE), _predict("walk.npy"),
           damages=NPY),
)  # fmt: skip
