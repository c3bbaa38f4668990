"""Detector-like noise on exact 2D keypoints: the ``noise`` of a data source.

For one take (one clip seen by one camera), in this order:

1. *definition*: hips and head lie where other labels have them, the same in every frame;
2. *exchange*: both legs, or both arms, are taken for each other; a place goes under the other name;
3. *jitter*: ``x + jitter * k * std[part] * size * n`` with ``n ~ N(0, I)`` and ``size`` the larger
   side of the box around the pose's joints. ``k`` is 1, or ``outlier_factor`` for a few joints;
4. *drop-out*: joints are missing, but for the root, which poses are centred on;
5. *confidence*: falls with the jitter, and is noisy itself. An exchange does not lower it: a
   detector that takes one leg for the other is sure of it.

Takes differ: some keep their exact keypoints (``clean_share``), some lack the joints that other
layouts lack (``lack_share``), and the level of the confidences varies (``least_level``). All three
are off by default; they serve a lifter that is to take whatever it is given.

Every joint and every frame has an error of its own. Those of a real detector last for some frames,
and it loses a hand together with the elbow: this model is harder on what compares adjacent frames,
and kinder where a whole limb is gone.

What is known: detections by a network fine-tuned on Human3.6M lie some 5 to 6 pixels from the
projected truth; wrists, elbows and ankles are worse than hips, shoulders and the trunk; a good part
of the frames lacks a joint. What is chosen: the tables below and the defaults of
:class:`selflift.config.NoiseConfig`, so as to meet this. No measured table of one detector stands
behind any of them. On the 175,980 training poses of ``cmu17``, filmed by the default rig, they give
a mean error of 5.0 px (median 3.4), which is 1.7 % of the pose's size, 61 % of complete poses, and
4 % of poses with an exchanged limb.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from selflift.config import NoiseConfig
from selflift.data.pose_set import PoseSet
from selflift.skeleton import Skeleton

KINDS = ("none", "detector")
# Chosen: standard deviation along each axis, as a share of the pose's size.
STD = {
    "Pelvis": 0.007, "Spine": 0.008, "Thorax": 0.007, "Neck": 0.007,
    "Nose": 0.007, "Head": 0.008, "HeadTop": 0.008, "Eye": 0.006, "Ear": 0.007,
    "Shoulder": 0.008, "Elbow": 0.012, "Wrist": 0.017,
    "Hip": 0.008, "Knee": 0.010, "Ankle": 0.014,
    "Heel": 0.015, "BigToe": 0.016, "SmallToe": 0.016,
}  # fmt: skip
DEFAULT_STD = 0.012
# Chosen: how often a joint is missing. With these, 61 % of poses in the layout h36m_17 are whole.
DROP = {
    "Pelvis": 0.005, "Spine": 0.005, "Thorax": 0.005, "Neck": 0.005,
    "Nose": 0.02, "Head": 0.02, "HeadTop": 0.02, "Eye": 0.04, "Ear": 0.08,
    "Shoulder": 0.015, "Elbow": 0.04, "Wrist": 0.08,
    "Hip": 0.01, "Knee": 0.025, "Ankle": 0.05,
    "Heel": 0.06, "BigToe": 0.06, "SmallToe": 0.06,
}  # fmt: skip
DEFAULT_DROP = 0.03
# Chosen: a joint off by so many of its standard deviations has confidence exp(-1/2), times
# U[CONFIDENCE_NOISE, 1]; never below the last, since 0 means missing.
CONFIDENCE_STDS = 4.0
CONFIDENCE_NOISE = 0.75
MIN_CONFIDENCE = 0.02
# What most detectors' layouts lack: at best something near stands in for it.
LACKED = ("Spine", "Thorax", "Neck", "HeadTop")
# What a shifted head takes along, and what the head is above of.
HEAD_PARTS = ("HeadTop", "Head", "Nose")
NECK_PARTS = ("Thorax", "Neck")

RANGES: dict[str, tuple[float, float]] = {
    "jitter": (0, 20),
    "outlier_share": (0, 1),
    "outlier_factor": (1, 100),
    "swap_share": (0, 1),
    "drop": (0, 1 / max(DROP.values())),
    "hip_shift": (-1, 1),
    "head_shift": (-1, 1),
    "clean_share": (0, 1),
    "lack_share": (0, 1),
    "least_level": (MIN_CONFIDENCE, 1),
}


def check_noise(noise: NoiseConfig) -> None:
    """Refuse a noise that is not defined.

    Raises:
        ValueError: Naming the key, what is expected and what was given.
    """
    if noise.kind not in KINDS:
        raise ValueError(f"data.noise.kind: expected one of {', '.join(KINDS)}, got '{noise.kind}'")
    for key, (low, high) in RANGES.items():
        value = getattr(noise, key)
        if not low <= value <= high:
            raise ValueError(f"data.noise.{key}: expected {low:g} to {high:g}, got {value}")


def add_noise(poses: PoseSet, noise: NoiseConfig) -> PoseSet:
    """Poses as a detector would have found them.

    What happens to a take depends on ``noise``, the names of its camera and clip and its frames
    alone: the same pose gets the same noise in every selection of whole takes, in any order. Random
    numbers are drawn whether they are needed or not, so that two noises that differ in ``drop``
    jitter the same joints by the same amount.

    Args:
        poses: The poses; they are not changed. A joint of confidence 0 stays missing.
        noise: The noise.

    Returns:
        The set with other ``poses_2d`` (NaN where a joint is missing) and ``confidence``, which is
        multiplied with the one that was there; ``poses`` itself for the kind ``"none"``.

    Raises:
        ValueError: If the noise is not defined.
    """
    check_noise(noise)
    if noise.kind == "none":
        return poses
    layout = _Layout.of(poses.skeleton, noise)
    poses_2d = np.empty(poses.poses_2d.shape, np.float32)
    confidence = np.empty(poses_2d.shape[:2], np.float32)
    before = poses.confidence
    for name, rows in _takes(poses):
        given = np.ones((len(rows), layout.joints), np.float32) if before is None else before[rows]
        rng = _generator(noise.seed, name)
        poses_2d[rows], confidence[rows] = _detect(poses.poses_2d[rows], given, noise, layout, rng)
    return replace(poses, poses_2d=poses_2d, confidence=confidence)


@dataclass(frozen=True)
class _Layout:
    """Properties of a layout that the noise depends on.

    Attributes:
        joints: ``J``.
        std: ``(J,)``, shares of the pose's size.
        drop: ``(J,)``, probabilities.
        groups: Left and right joints of the legs and of the arms.
        hips: Left and right hip, if it has both.
        heads: The joints that move with the head.
        neck: The joint that the head is above of, or ``None``.
        head: The joint whose distance to the neck is the unit of ``noise.head_shift``.
        lacked: The joints that other layouts lack.
    """

    joints: int
    std: np.ndarray
    drop: np.ndarray
    groups: tuple[tuple[list[int], list[int]], ...]
    hips: tuple[int, int] | None
    heads: list[int]
    neck: int | None
    head: int | None
    lacked: list[int]

    @classmethod
    def of(cls, skeleton: Skeleton, noise: NoiseConfig) -> _Layout:
        parts = skeleton.parts or skeleton.joints
        index = {part: j for j, part in enumerate(parts)}
        drop = noise.drop * np.array([_by_part(DROP, part, DEFAULT_DROP) for part in parts])
        drop[skeleton.root] = 0
        heads = [index[part] for part in HEAD_PARTS if part in index]
        return cls(
            joints=skeleton.num_joints,
            std=np.array([_by_part(STD, part, DEFAULT_STD) for part in parts], np.float32),
            drop=drop.astype(np.float32),
            groups=_limbs(skeleton, index),
            hips=(index["LHip"], index["RHip"]) if {"LHip", "RHip"} <= set(index) else None,
            heads=heads,
            neck=next((index[part] for part in NECK_PARTS if part in index), None),
            head=heads[0] if heads else None,
            lacked=[j for j, part in enumerate(parts) if part in LACKED and j != skeleton.root],
        )


def _by_part(table: dict[str, float], part: str, default: float) -> float:
    """The entry of a part, of either side."""
    side = part[1:] if part[:1] in ("L", "R") else part
    return table.get(part, table.get(side, default))


def _limbs(skeleton: Skeleton, index: dict[str, int]) -> tuple[tuple[list[int], list[int]], ...]:
    """Left and right joints of legs and arms: the pairs at and below the hips and the shoulders."""
    groups, taken = [], set()
    # Legs first: some layouts hang the hips on the shoulders.
    for part in ("LHip", "LShoulder"):
        pairs = [
            (left, right)
            for left, right in zip(skeleton.left, skeleton.right, strict=True)
            if left not in taken and part in index and _hangs_on(skeleton, left, index[part])
        ]
        taken |= {left for left, _ in pairs}
        groups.append(([left for left, _ in pairs], [right for _, right in pairs]))
    return tuple(groups)


def _hangs_on(skeleton: Skeleton, joint: int, ancestor: int) -> bool:
    while joint not in (ancestor, -1):
        joint = skeleton.parents[joint]
    return joint == ancestor


def _takes(poses: PoseSet) -> Iterator[tuple[tuple[str, str], np.ndarray]]:
    """Camera and clip of each take, and its rows in order of their frames."""
    clips = len(poses.clip.names)
    key = poses.camera.index.astype(np.int64) * clips + poses.clip.index
    order = np.lexsort((poses.frame, key))
    starts = np.flatnonzero(np.diff(key[order])) + 1
    for rows in np.split(order, starts) if len(order) else []:
        camera, clip = divmod(int(key[rows[0]]), clips)
        yield (poses.camera.names[camera], poses.clip.names[clip]), rows


def _generator(seed: int, name: tuple[str, str]) -> np.random.Generator:
    digest = hashlib.sha256("\0".join(("noise", str(seed), *name)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def _detect(
    x: np.ndarray,
    confidence: np.ndarray,
    noise: NoiseConfig,
    layout: _Layout,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """The poses of one take, ``(T, J, 2)``, and their confidence as a detector gives them."""
    shape = x.shape[:2]
    normal = rng.standard_normal((*shape, 2), np.float32)
    outlier, dropped, doubt = (rng.random(shape, np.float32) for _ in range(3))
    exchanged = rng.random((shape[0], len(layout.groups)), np.float32) < noise.swap_share
    clean, lacking, level = rng.random(3)

    found = confidence > 0
    x = np.where(found[..., None], x, np.nan).astype(np.float32)
    level = np.float32(noise.least_level + (1 - noise.least_level) * level)
    if clean < noise.clean_share:
        return x, np.where(found, confidence * level, 0).astype(np.float32)
    size = _size(x, found)
    _shift(x, found, noise, layout)
    confidence = np.where(found, confidence, 0).astype(np.float32)
    for group, (left, right) in enumerate(layout.groups):
        # A pair of which one is missing stays, so that what is missing stays missing.
        swap = exchanged[:, group, None] & found[:, left] & found[:, right]
        for array in (x, confidence):
            which = swap.reshape(*swap.shape, *(1,) * (array.ndim - 2))
            one, other = array[:, left], array[:, right]
            array[:, left] = np.where(which, other, one)
            array[:, right] = np.where(which, one, other)

    far = np.where(outlier < noise.outlier_share, noise.outlier_factor, 1.0) * noise.jitter
    stds = far.astype(np.float32)[..., None] * normal
    x += stds * layout.std[:, None] * size[:, None, None]
    sure = np.exp(-0.5 * np.square(stds).sum(-1) / CONFIDENCE_STDS**2)
    sure *= CONFIDENCE_NOISE + (1 - CONFIDENCE_NOISE) * doubt
    confidence *= np.maximum(sure, MIN_CONFIDENCE)
    confidence *= level
    lost = dropped < layout.drop
    if lacking < noise.lack_share:
        lost[:, layout.lacked] = True
    x[lost], confidence[lost] = np.nan, 0
    return x, confidence


def _size(x: np.ndarray, found: np.ndarray) -> np.ndarray:
    """The larger side of the box around each pose's joints in pixels, ``(T,)``; 0 without joints.

    It is what a detector's crop is scaled by.
    """
    high = np.where(found[..., None], x, -np.inf).max(1)
    low = np.where(found[..., None], x, np.inf).min(1)
    return np.maximum((high - low).max(-1), 0)


def _shift(x: np.ndarray, found: np.ndarray, noise: NoiseConfig, layout: _Layout) -> None:
    """Move hips apart about their middle, and the head away from the neck, where both are found."""
    if noise.hip_shift and layout.hips:
        left, right = layout.hips
        both = found[:, left] & found[:, right]
        out = noise.hip_shift * (x[both, left] - x[both, right])
        x[both, left] += out
        x[both, right] -= out
    if noise.head_shift and layout.neck is not None and layout.head is not None:
        up = noise.head_shift * (x[:, layout.head] - x[:, layout.neck])
        both = found[:, layout.head] & found[:, layout.neck]
        for joint in layout.heads:
            x[both, joint] += up[both]
