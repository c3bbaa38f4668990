"""Pictures of a validation for TensorBoard, drawn by Pillow: cheap enough for every validation."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image, ImageDraw

from selflift.skeleton import Skeleton
from selflift.viz import bone_colours

PANEL_WIDTH, PANEL_HEIGHT, MARGIN = 130, 160, 12
# Drawn larger, then reduced: Pillow's lines have no smooth edges.
FINER, THICKNESS = 3, 3
FRAMES, FRAME_MS = 24, 90
HEADING = 16


def real_and_generated(real: np.ndarray, generated: np.ndarray, skeleton: Skeleton) -> bytes:
    """Real 2D poses above generated ones, each at its own scale.

    Args:
        real: ``(N, J, 2)``, y down; a joint that is NaN is left out, with its bones.
        generated: ``(N, J, 2)``, which need not belong to the real ones.
        skeleton: The layout.

    Returns:
        A PNG file.
    """
    rows = [
        _titled(title, [_panel(pose, np.zeros(len(pose)), skeleton, _fit(pose)) for pose in poses])
        for title, poses in (("real", real), ("generated: projections of lifted poses", generated))
    ]
    sheet = Image.new("RGB", (rows[0].width, sum(row.height for row in rows)), "white")
    for i, row in enumerate(rows):
        sheet.paste(row, (0, i * row.height))
    return _file([sheet], "PNG")


def turning(X: np.ndarray, skeleton: Skeleton) -> bytes:
    """Lifted bodies that turn about the vertical, once, beginning with the camera's view.

    Args:
        X: ``(N, J, 3)``, root-centred, upright (y down); all drawn at one scale.
        skeleton: The layout.

    Returns:
        An animated GIF file.
    """
    reach = np.hypot(X[..., 0], X[..., 2]).max()
    fit = _fit(np.array([[-reach, X[..., 1].min()], [reach, X[..., 1].max()]]))
    frames = []
    for i in range(FRAMES):
        angle = 2 * math.pi * i / FRAMES
        c, s = math.cos(angle), math.sin(angle)
        across, depth = c * X[..., 0] + s * X[..., 2], c * X[..., 2] - s * X[..., 0]
        seen = np.stack([across, X[..., 1]], -1)
        panels = [_panel(*pose, skeleton, fit) for pose in zip(seen, depth, strict=True)]
        frames.append(_titled(f"lifted, turned by {math.degrees(angle):.0f} degrees", panels))
    # One palette for all frames, or colours would flicker.
    palette = frames[FRAMES // 8].quantize(32)
    still = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    return _file(still, "GIF", save_all=True, append_images=still[1:], duration=FRAME_MS, loop=0)


def _fit(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Where the middle of some points lies, and how many pixels a unit may take."""
    low, high = np.nanmin(points, 0), np.nanmax(points, 0)
    room = np.array([PANEL_WIDTH, PANEL_HEIGHT]) - 2 * MARGIN
    return (low + high) / 2, float((room / np.maximum(high - low, 1e-9)).min())


def _panel(
    pose: np.ndarray, depth: np.ndarray, skeleton: Skeleton, fit: tuple[np.ndarray, float]
) -> Image.Image:
    """A pose in a panel of its own; what is nearer covers what is farther."""
    middle, scale = fit
    panel = Image.new("RGB", (PANEL_WIDTH * FINER, PANEL_HEIGHT * FINER), "white")
    draw = ImageDraw.Draw(panel)
    centre = np.array([PANEL_WIDTH, PANEL_HEIGHT]) / 2
    points = ((pose - middle) * scale + centre) * FINER
    bones, colours = np.array(skeleton.bones), bone_colours(skeleton)
    half = THICKNESS * FINER / 2
    for i in np.argsort(-depth[bones].mean(1), kind="stable"):
        ends = points[bones[i]]
        if not np.isfinite(ends).all():
            continue
        draw.line([tuple(end) for end in ends], fill=colours[i], width=THICKNESS * FINER)
        for x, y in ends:
            draw.ellipse([x - half, y - half, x + half, y + half], fill=colours[i])
    return panel.reduce(FINER)


def _titled(title: str, panels: list[Image.Image]) -> Image.Image:
    row = Image.new("RGB", (PANEL_WIDTH * len(panels), PANEL_HEIGHT + HEADING), "white")
    ImageDraw.Draw(row).text((MARGIN, 3), title, fill="#333333")
    for i, panel in enumerate(panels):
        row.paste(panel, (i * PANEL_WIDTH, HEADING))
    return row


def _file(images: list[Image.Image], kind: str, **options: object) -> bytes:
    held = io.BytesIO()
    images[0].save(held, kind, **options)
    return held.getvalue()
