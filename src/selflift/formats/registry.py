"""The formats that can be read, and the recognition of a file's or folder's format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from selflift.config import PrepareConfig
from selflift.data.recording import Recordings
from selflift.files.array_archives import npz_keys
from selflift.files.untrusted import ImportFileError
from selflift.formats import pose_sets
from selflift.formats.h36m import cdf, h36m_fetch, mmpose, motionbert, videopose3d
from selflift.formats.keypoints import (
    alphapose,
    arrays,
    coco,
    csv_table,
    detectron,
    openpose,
    videopose3d_custom,
)
from selflift.formats.keypoints import mmpose as mmpose_keypoints
from selflift.formats.keypoints.reader import Reader
from selflift.formats.mocap import importer as mocap
from selflift.formats.mpi_inf_3dhp import test_set, training_set

# Parts of a file or folder that fit into a line.
MOST_ENDINGS, MOST_KEYS = 4, 8


@dataclass(frozen=True)
class Source:
    """A format.

    Attributes:
        name: Its name on the command line.
        about: Its files, in a few words.
        recognise: Returns whether a file or folder looks like it.
        open: Opens a file or folder.
    """

    name: str
    about: str
    recognise: Callable[[Path], bool]
    open: Callable[[Path, PrepareConfig], Recordings]


def _keypoints(name: str, about: str, reader: Reader) -> Source:
    return Source(
        name, about, reader.recognise,
        lambda path, config: reader.open_keypoints(path, config.keypoints),
    )  # fmt: skip


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            "h36m_videopose3d",
            "data_3d_h36m.npz, or any motion in that layout",
            videopose3d.recognise,
            lambda path, config: videopose3d.open_videopose3d(path, config.h36m),
        ),
        Source(
            "h36m_cdf",
            "the folder of the official archives, unpacked (S1/MyPoseFeatures/...)",
            cdf.recognise,
            lambda path, config: cdf.open_cdf(path, config.h36m),
        ),
        Source(
            "h36m_fetch",
            "h36m-fetch's folder 'processed' (S1/Directions-1/annot.h5)",
            h36m_fetch.recognise,
            lambda path, config: h36m_fetch.open_fetch(path, config.h36m),
        ),
        Source(
            "h36m_motionbert",
            "MotionBERT's h36m_sh_conf_cam_source_final.pkl",
            motionbert.recognise,
            lambda path, config: motionbert.open_motionbert(path, config.h36m),
        ),
        Source(
            "h36m_mmpose",
            "MMPose's h36m_train.npz or h36m_test.npz",
            mmpose.recognise,
            lambda path, config: mmpose.open_mmpose(path, config.h36m),
        ),
        Source(
            "mpi_inf_3dhp_train",
            "the folder with S1/Seq1/annot.mat",
            training_set.recognise,
            lambda path, config: training_set.open_train(path, config.mpi_inf_3dhp),
        ),
        Source(
            "mpi_inf_3dhp_test",
            "the folder with TS1/annot_data.mat",
            test_set.recognise,
            lambda path, config: test_set.open_test(path, config.mpi_inf_3dhp),
        ),
        Source(
            "mocap",
            "an ASF/AMC or BVH file, or a folder of them; filmed by virtual cameras",
            mocap.recognise,
            lambda path, config: mocap.open_mocap(path, config.mocap, config.rig),
        ),
        _keypoints("openpose", "the folder of OpenPose's *_keypoints.json", openpose),
        _keypoints("coco", "COCO keypoints, annotations or results (JSON)", coco),
        _keypoints("alphapose", "AlphaPose's alphapose-results.json", alphapose),
        _keypoints(
            "mmpose",
            "MMPose's predictions of a video or an image, or a folder of them (JSON)",
            mmpose_keypoints,
        ),
        _keypoints(
            "videopose3d_custom", "VideoPose3D's data_2d_custom_NAME.npz", videopose3d_custom
        ),
        _keypoints(
            "detectron",
            "a Detectron inference file of a video, or a folder of them (npz)",
            detectron,
        ),
        _keypoints(
            "arrays",
            "keypoints as a plain array (npy, npz, HDF5), with frames or people as further axes",
            arrays,
        ),
        _keypoints(
            "table",
            "keypoints as a CSV table with a header: frame, person, and x, y, confidence of joints",
            csv_table,
        ),
        Source(
            "poses",
            "a pose set, to thin it or to convert its layout",
            pose_sets.recognise,
            lambda path, config: pose_sets.open_poses(path),
        ),
    )
}


def find_source(name: str | None, path: Path) -> Source:
    """Find the format of a file or folder.

    Args:
        name: A source, the beginning of a few (``"h36m"``), or ``None`` to look at the files.
        path: The file or folder.

    Raises:
        ImportFileError: If the path is missing, the name unknown, or none or several formats fit.
    """
    if not path.exists():
        raise ImportFileError(f"input '{path}': no such file or folder")
    if not path.is_file() and not path.is_dir():
        raise ImportFileError(
            f"input '{path}': expected a file or a folder, got a pipe or a device; write it to a "
            "file first"
        )
    if name in SOURCES:
        return SOURCES[name]
    family = [s for s in SOURCES.values() if name is None or s.name.startswith(f"{name}_")]
    if not family:
        raise ImportFileError(
            f"source: expected one of {', '.join(SOURCES)} (or the part before the first '_', or "
            f"none to recognise it), got '{name}'"
        )
    fitting = [source for source in family if source.recognise(path)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(source.name for source in fitting)
        raise ImportFileError(
            f"input '{path}': expected one format, got files of {names}; name the source, "
            f"as in source={fitting[0].name}"
        )
    if name is None:
        raise ImportFileError(
            f"input '{path}': expected a format that selflift knows, got {_look_of(path)}; name "
            "the source to see why it does not fit, as in source=coco (--help lists them)"
        )
    expected = "; ".join(f"{source.name}: {source.about}" for source in family)
    raise ImportFileError(
        f"input '{path}': expected one of {name} ({expected}), got {_look_of(path)}"
    )


def _look_of(path: Path) -> str:
    """Describe a file or folder of unknown format."""
    try:
        if path.is_dir():
            endings = Counter(p.suffix or "folder or other" for p in path.iterdir())
            if not endings:
                return "an empty folder"
            most = ", ".join(f"{n} x {ending}" for ending, n in endings.most_common(MOST_ENDINGS))
            return f"a folder of {most}"
        with open(path, "rb") as stream:
            if not stream.read(1):
                return "an empty file"
    except OSError as error:
        return f"one that can't be read ({error.strerror})"
    if keys := npz_keys(path):
        return f"an npz archive of {', '.join(keys[:MOST_KEYS])}"
    ending = f"a {path.suffix} file" if path.suffix else "a file without an ending"
    return f"{ending} of another format, or one that is corrupt or cut short"
