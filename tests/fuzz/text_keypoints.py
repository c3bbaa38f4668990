"""Keypoints as JSON and as tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from selflift.config import KeypointOptions, PredictConfig, PrepareConfig
from selflift.formats.convert import prepare
from selflift.formats.registry import SOURCES
from selflift.geometry.normalise import Normaliser
from selflift.lift import PoseLifter
from selflift.lift.keypoint_input import open_input
from selflift.lift.lift_people import lift_people
from selflift.lift.outputs import write_all
from selflift.models import Lifter
from selflift.skeleton import COCO_17
from tests.fuzz.target import Target
from tests.fuzz.text_damage import again, encoded, in_json, many, one_line, words

JSON = (in_json, in_json, in_json, again, encoded)
TABLE = (words, words, many, one_line, encoded)


def people(count: int = 2, frames: int = 4, joints: int = 17) -> np.ndarray:
    """``(people, frames, joints, 3)``: x, y in pixels, confidence."""
    rng = np.random.default_rng(0)
    pose = rng.uniform(10, 250, (count, 1, joints, 2)) + rng.uniform(
        0, 1, (count, frames, joints, 2)
    )
    pose[..., 0] += 300 * np.arange(count)[:, None, None]
    return np.concatenate([pose, rng.uniform(0.5, 1, (count, frames, joints, 1))], -1).round(2)


def _dump(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content))


def _openpose(folder: Path) -> None:
    for t, frame in enumerate(people(joints=25).transpose(1, 0, 2, 3)):
        found = [{"person_id": [k], "pose_keypoints_2d": p.ravel().tolist()}
                 for k, p in enumerate(frame)]  # fmt: skip
        _dump(folder / f"walk_{t:012d}_keypoints.json", {"version": 1.3, "people": found})


def _coco(folder: Path) -> None:
    rows = people()
    _dump(folder / "people.json", {
        "info": {"year": 2020},
        "images": [{"id": t, "width": 640, "height": 480, "file_name": f"../{t}.jpg"}
                   for t in range(4)],
        "annotations": [
            {"id": 10 * t + k, "image_id": t, "category_id": 1, "iscrowd": 0, "num_keypoints": 17,
             "keypoints": rows[k, t].ravel().tolist(), "bbox": [0, 0, 9, 9]}
            for t in range(4) for k in range(2)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_17.joints)}],
    })  # fmt: skip


def _results(folder: Path) -> None:
    rows = people()
    _dump(folder / "people.json", [
        {"image_id": t, "category_id": 1, "score": 0.5 + k / 4,
         "keypoints": rows[k, t].ravel().tolist()}
        for t in range(4) for k in range(2)
    ])  # fmt: skip


def _alphapose(folder: Path) -> None:
    rows = people()
    _dump(folder / "people.json", [
        {"image_id": f"walk_{t}.jpg", "category_id": 1, "score": 2.5, "box": [1, 2, 3, 4],
         "idx": [k], "keypoints": rows[k, t].ravel().tolist()}
        for t in range(4) for k in range(2)
    ])  # fmt: skip


def _alphapose_by_image(folder: Path) -> None:
    rows = people(joints=18)
    _dump(folder / "people.json", {
        f"{t}.jpg": {"version": 0.1, "bodies": [{"joints": rows[k, t].ravel().tolist()}
                                                for k in range(2)]}
        for t in range(4)
    })  # fmt: skip


def _mmpose(folder: Path) -> None:
    rows = people()
    _dump(folder / "people.json", {
        "meta_info": {"keypoint_id2name": {str(n): name for n, name in enumerate(COCO_17.joints)}},
        "instance_info": [
            {"frame_id": t, "instances": [
                {"keypoints": rows[k, t, :, :2].tolist(), "bbox_score": 0.9, "track_id": k,
                 "keypoint_scores": rows[k, t, :, 2].tolist()}
                for k in range(2)]}
            for t in range(4)
        ],
    })  # fmt: skip


def _long(folder: Path) -> None:
    lines = ["frame,person,joint,x,y,confidence,other"]
    for k, t, j in np.ndindex(2, 4, 17):
        x, y, c = people()[k, t, j]
        lines.append(f"{t},{k},{COCO_17.joints[j]},{x},{y},{c},")
    (folder / "people.csv").write_text("\n".join(lines) + "\n")


def _wide(folder: Path) -> None:
    lines = ["frame;person;" + ";".join(f"{j}_x;{j}_y;{j}_conf" for j in COCO_17.joints)]
    for k, t in np.ndindex(2, 4):
        lines.append(f"{t};{k};" + ";".join(map(str, people()[k, t].ravel())))
    (folder / "people.csv").write_text("\n".join(lines) + "\n")


def opened(source: str, name: str, **options: Any) -> Callable[[Path], None]:
    """Reads all that a source has; looks at it as if nobody had named the source, before."""

    def read(folder: Path) -> None:
        path = folder / name
        for one in SOURCES.values():
            one.recognise(path)
        config = PrepareConfig(input=str(path), keypoints=KeypointOptions(**options))
        for take in SOURCES[source].open(path, config).takes:
            len(take)

    return read


def converted(source: str, name: str) -> Callable[[Path], None]:
    """Writes a pose set of it."""

    def read(folder: Path) -> None:
        with TemporaryDirectory() as out:
            prepare(PrepareConfig(
                source=source, input=str(folder / name), output=f"{out}/poses.h5", picture=False,
                progress=False, keypoints=KeypointOptions(people="track"),
            ))  # fmt: skip

    return read


@cache
def _lifter() -> PoseLifter:
    torch.manual_seed(0)
    network = Lifter(width=16, num_blocks=1, elevation=True, confidences=True)
    return PoseLifter(network, Normaliser("rotate", "sample", 0.4, 0.06), "untrained", "cpu")


def _lifted(folder: Path) -> None:
    config = PredictConfig(
        input=str(folder / "people.json"), source="mmpose", progress=False, smooth=0.06
    )
    prediction = lift_people(config, _lifter(), open_input(config))
    with TemporaryDirectory() as out:
        data = [Path(out, f"out.{ending}") for ending in ("json", "csv", "bvh", "npz")]
        write_all(prediction, data, [Path(out, "out.html")], "title", overwrite=False)


TEXT_KEYPOINTS = (
    Target("openpose", _openpose, opened("openpose", ""), True, JSON),
    Target("coco", _coco, opened("coco", "people.json"), True, JSON),
    Target("coco_results", _results, opened("coco", "people.json", people="track"), True, JSON),
    Target("alphapose", _alphapose, opened("alphapose", "people.json", people="all"), True, JSON),
    Target("alphapose_images", _alphapose_by_image, opened("alphapose", "people.json"), True, JSON),
    Target("mmpose", _mmpose, opened("mmpose", "people.json", people="track"), True, JSON),
    Target("table_long", _long, opened("table", "people.csv"), True, TABLE),
    Target("table_wide", _wide, opened("table", "people.csv", people="track"), True, TABLE),
    Target("prepare_alphapose", _alphapose, converted("alphapose", "people.json"), True, JSON),
    Target("prepare_table", _wide, converted("table", "people.csv"), True, TABLE),
    Target("predict_mmpose", _mmpose, _lifted, True, JSON),
)
