"""Make bundled weights of a training's checkpoint: half precision, no machine's paths.

    python scripts/make_weights.py RUN_DIR cmu17                            # src/selflift/weights/
    python scripts/make_weights.py RUN_DIR cmu17 --poses data/cmu17_test.h5

Prints the file's size, and by how much half precision changes the poses that are lifted: of a pose
set if one is given (``.h5``, as ``selflift.prepare`` writes them), else of random keypoints, which
lie outside of what the lifter was trained on. A model card, ``NAME.md``, is to lie beside the file.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import numpy as np

from selflift import checkpoint
from selflift.data.pose_set import PoseSet
from selflift.lift import PoseLifter
from selflift.lift.bundled_weights import FOLDER, checkpoint_path, portable
from selflift.skeleton import Skeleton

MOST_POSES = 20_000
SIZE_PX, PERSON_PX = 1000.0, 150.0


def main() -> None:
    """Make the file that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", help="a checkpoint file, or a run folder (its best)")
    parser.add_argument("name", help="what selflift.load is to call it")
    parser.add_argument("--poses", help="a pose set on which the error of rounding is measured")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to put it")
    given = parser.parse_args()
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", given.name):
        parser.error(f"name: expected lower case letters, digits, - and _, got '{given.name}'")
    try:
        make(given.checkpoint, given.folder / f"{given.name}.safetensors", given.poses)
    except (OSError, ValueError) as error:
        sys.exit(f"make_weights: {error}")


def make(source: str, target: Path, poses: str | None) -> None:
    """Write the file, print what it is like."""
    content = checkpoint.load(checkpoint_path(source))
    whole = PoseLifter.from_checkpoint(source, "cpu", "float32")
    points, sure, what = keypoints(whole.skeleton, poses)
    checkpoint.save_weights(target, portable(content))
    half = PoseLifter.from_checkpoint(target, "cpu", "float32")
    before, after = (lifter(points, confidence=sure, size_px=(SIZE_PX, SIZE_PX))
                     for lifter in (whole, half))  # fmt: skip
    apart = 1000 * np.linalg.norm(after.X_m - before.X_m, axis=-1)[before.lifted]
    print(f"{target}: {target.stat().st_size:,} bytes, {whole!r}")
    print(
        f"half precision moves joints by {apart.mean():.3f} mm on average, {apart.max():.3f} mm at "
        f"most ({len(apart):,} {what}, stature {before.stature_m} m)"
    )
    card = target.with_suffix(".md")
    if not card.is_file():
        print(f"model card: expected one as {card}, got none; write it")


def keypoints(skeleton: Skeleton, path: str | None) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Keypoints, their confidences, and what they are."""
    rng = np.random.default_rng(0)
    if path is None:
        points = SIZE_PX / 2 + PERSON_PX * rng.standard_normal((1000, skeleton.num_joints, 2))
        return points, None, "random poses"
    poses = PoseSet.load(path)
    if poses.skeleton != skeleton:
        raise ValueError(
            f"poses '{path}': expected the lifter's layout '{skeleton.name}', got "
            f"'{poses.skeleton.name}'; convert them: python -m selflift.prepare poses input={path} "
            f"skeleton={skeleton.name}"
        )
    drawn = rng.permutation(len(poses))[:MOST_POSES]
    poses = poses.select(np.sort(drawn))
    return poses.poses_2d, poses.confidence, f"poses of {Path(path).name}"


if __name__ == "__main__":
    main()
