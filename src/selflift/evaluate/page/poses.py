"""Poses on the page: the gallery's examples, and the skeleton that carries the joints' errors.

3D poses are drawn orthographically, in the camera's axes: from the camera (x right, y down), from
the side (depth grows to the right, the camera stands at the left) and from above (x right, depth
upwards, the camera stands below). The prediction is solid; the truth is dashed and paler.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from selflift.evaluate.page.data import Example
from selflift.evaluate.page.svg import coordinate, image, number, shape, text
from selflift.skeleton import Skeleton

PANEL_WIDTH, PANEL_HEIGHT, GAP, HEADING = 96.0, 128.0, 5.0, 16.0
PADDING = 7.0
SCALE_BAR_MM = 500.0
# Largest circle of the joints' figure; an error's circle has an area in proportion to it.
LARGEST_RADIUS = 11.0

# view -> (axis to the right, axis upwards, their signs, axis of depth and its sign).
VIEWS: dict[str, tuple[int, int, float, int, float]] = {
    "from the camera": (0, 1, 1.0, 2, 1.0),
    "from the side": (2, 1, 1.0, 0, -1.0),
    "from above": (0, 2, -1.0, 1, 1.0),
}

# A body seen from the front, so that its left is on the right: part -> (right, down).
STANCE: dict[str, tuple[float, float]] = {
    "Pelvis": (0, 0), "Spine": (0, -28), "Thorax": (0, -58), "Neck": (0, -64), "Nose": (0, -78),
    "Head": (0, -84), "HeadTop": (0, -98),
    "LHip": (12, 2), "LKnee": (16, 46), "LAnkle": (19, 90),
    "LShoulder": (20, -58), "LElbow": (34, -28), "LWrist": (44, 2),
    "LEye": (5, -82), "LEar": (11, -80), "LBigToe": (24, 100), "LSmallToe": (33, 97),
    "LHeel": (13, 97),
}  # fmt: skip


def example_image(example: Example, skeleton: Skeleton) -> str:
    """One example: the 2D input, then prediction over truth from three sides at one scale.

    Args:
        example: The pose.
        skeleton: Its layout.
    """
    views = {name: [_seen(X, name) for X in (example.truth, example.prediction)] for name in VIEWS}
    extents = [np.ptp(np.concatenate([seen for seen, _ in pair]), 0) for pair in views.values()]
    scale = _fit(np.max(extents, 0))
    pose = example.pose_2d
    low, high = np.nanmin(pose, 0), np.nanmax(pose, 0)
    flat = (pose - (low + high) / 2) * _fit(high - low)
    panels = [("2D input", [(flat, np.zeros(len(flat)), "prediction")])]
    for name, pair in views.items():
        points = np.concatenate([seen for seen, _ in pair])
        centre = (points.min(0) + points.max(0)) / 2
        (truth, far), (prediction, near) = pair
        layers = [((truth - centre) * scale, far, "truth")]
        layers.append(((prediction - centre) * scale, near, "prediction"))
        panels.append((name, layers))
    parts = []
    for i, (name, layers) in enumerate(panels):
        left = i * (PANEL_WIDTH + GAP)
        parts.append(text(left + PANEL_WIDTH / 2, 11, name, "middle"))
        corner, size = {"x": left + 0.5, "y": HEADING}, {"width": PANEL_WIDTH - 1}
        parts.append(shape("rect", "panel", "", **corner, **size, height=PANEL_HEIGHT))
        middle = np.array([left + PANEL_WIDTH / 2, HEADING + PANEL_HEIGHT / 2])
        for points, depth, layer in layers:
            parts.append(f'<g class="{layer}">{_bones(points + middle, depth, skeleton)}</g>')
    width = len(panels) * PANEL_WIDTH + (len(panels) - 1) * GAP
    height = HEADING + PANEL_HEIGHT + 16
    length = SCALE_BAR_MM * scale
    start, base = PANEL_WIDTH + GAP, height - 8
    parts.append(shape("line", "scale", x1=start, x2=start + length, y1=base, y2=base))
    parts.append(text(start + length + 5, height - 4, f"{SCALE_BAR_MM:g} mm"))
    label = f"{example.label}, {example.error}: 2D input, prediction and truth from three sides"
    return image(parts, label, width, height, "poses")


def joint_figure(per_joint_mm: Mapping[str, float], skeleton: Skeleton) -> str | None:
    """A skeleton whose joints are circles with areas in proportion to their errors.

    Args:
        per_joint_mm: Mean error of each scored joint.
        skeleton: The layout.

    Returns:
        The image; ``None`` if a scored joint has no place in it.
    """
    place = {}
    for joint, part in enumerate(skeleton.parts or skeleton.joints):
        side = -1 if part.startswith("R") and f"L{part[1:]}" in STANCE else 1
        known = STANCE.get(f"L{part[1:]}" if side < 0 else part)
        if known is not None:
            place[joint] = (90.0 + side * known[0] * 1.35, 124.0 + known[1] * 1.1)
    index = {skeleton.index(name): value for name, value in per_joint_mm.items()}
    if not set(index) <= set(place):
        return None
    parts = [
        shape("path", "limb", d=_line(place[parent], place[child]))
        for parent, child in skeleton.bones
        if parent in place and child in place
    ]
    largest = max(index.values()) or 1.0
    for joint, error in sorted(index.items(), key=lambda item: -item[1]):
        radius = max(LARGEST_RADIUS * math.sqrt(error / largest), 1.0)
        circle = {"cx": place[joint][0], "cy": place[joint][1], "r": radius}
        tip = f"{skeleton.joints[joint]}: {number(error)} mm"
        parts.append(shape("circle", f"bar {side_of(joint, skeleton)}", tip, **circle))
    parts.append(text(22, 248, "right", "middle", "right-text"))
    parts.append(text(158, 248, "left", "middle", "left-text"))
    worst = skeleton.joints[max(index, key=lambda joint: index[joint])]
    label = f"Mean error of {len(index)} joints on a body seen from the front; largest: {worst}"
    return image(parts, label, 180, 256, "body")


def side_of(joint: int, skeleton: Skeleton) -> str:
    """The class of a joint's colour: ``"left"``, ``"right"`` or ``"trunk"``."""
    if joint in skeleton.left:
        return "left"
    return "right" if joint in skeleton.right else "trunk"


def _seen(X: np.ndarray, view: str) -> tuple[np.ndarray, np.ndarray]:
    """Places in the image (right, down) and depths of a pose from one side."""
    right, down, sign, depth, nearer = VIEWS[view]
    return np.stack([X[:, right], sign * X[:, down]], -1), nearer * X[:, depth]


def _fit(extent: np.ndarray) -> float:
    """The scale at which an extent fills a panel."""
    room = np.array([PANEL_WIDTH, PANEL_HEIGHT]) - 2 * PADDING
    return float((room / np.maximum(extent, 1e-9)).min())


def _bones(points: np.ndarray, depth: np.ndarray, skeleton: Skeleton) -> str:
    bones = np.array(skeleton.bones)
    # A bone with a missing end is not drawn.
    bones = bones[np.isfinite(points[bones]).all((1, 2))]
    # What is nearer covers what is farther.
    order = np.argsort(-depth[bones].mean(1), kind="stable")
    return "".join(
        shape("path", side_of(int(child), skeleton), d=_line(points[parent], points[child]))
        for parent, child in bones[order]
    )


def _line(a: np.ndarray | tuple[float, float], b: np.ndarray | tuple[float, float]) -> str:
    (ax, ay), (bx, by) = ((float(p[0]), float(p[1])) for p in (a, b))
    return f"M{coordinate(ax)} {coordinate(ay)}L{coordinate(bx)} {coordinate(by)}"
