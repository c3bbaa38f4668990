"""Animations: whose bones are where when, from where, within which limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.collections import Collection, LineCollection
from matplotlib.colors import same_color

from selflift.geometry.axes import turn_axes
from selflift.skeleton import H36M_17
from selflift.viz import animate
from selflift.viz.animation import SHADOW_COLOUR
from selflift.viz.drawing import PEOPLE_COLOURS

RNG = np.random.default_rng(0)
AWAY = np.array([0.0, 0.0, 30.0])
CLIP = AWAY + RNG.standard_normal((8, 17, 3))
PIXELS = RNG.uniform(0, 1000, (8, 17, 2))
LEVEL = {"azimuth_deg": 0.0, "elevation_deg": 0.0}


def show(animation: FuncAnimation, frame: int) -> list[Axes]:
    """Draw a frame; the panels from left to right."""
    animation._draw_frame(frame)
    return sorted(animation._fig.axes, key=lambda ax: ax.get_position().x0)


def bones_in(ax: Axes) -> np.ndarray:
    """Ends of the bones, ``(B, 2, 2)``, sorted."""
    lines = max(
        (c for c in ax.collections if isinstance(c, LineCollection)), key=lambda c: c.get_zorder()
    )
    segments = np.array(lines.get_segments()).reshape(-1, 4)
    return segments[np.lexsort(segments.T)].reshape(-1, 2, 2)


def bones_of(points: np.ndarray) -> np.ndarray:
    segments = points[..., np.array(H36M_17.bones), :].reshape(-1, 4)
    segments = segments[np.isfinite(segments).all(-1)]
    return segments[np.lexsort(segments.T)].reshape(-1, 2, 2)


def sizes(bones: np.ndarray) -> np.ndarray:
    """What doesn't depend on the middle: the bones' vectors."""
    return np.sort(bones[:, 1] - bones[:, 0], axis=0)


def is_of(collection: Collection, colour: str) -> bool:
    return bool(len(c := collection.get_edgecolor())) and same_color(c[0], colour)


@pytest.mark.parametrize("frame", [0, 3, 7])
def test_a_frame_shows_the_clip_at_its_time(frame: int) -> None:
    flat, solid = show(animate(CLIP, PIXELS, fps=10, **LEVEL), frame)
    np.testing.assert_allclose(bones_in(flat), bones_of(PIXELS[frame] * [1, -1]))
    seen = CLIP[frame][:, :2] * [1, -1]
    np.testing.assert_allclose(sizes(bones_in(solid)), sizes(bones_of(seen)), atol=1e-9)
    assert solid.texts[0].get_text() == f"{frame / 10:.2f} s"


@pytest.mark.parametrize(
    ("azimuth_deg", "elevation_deg", "across", "upward"),
    [
        (90, 0, [0, 0, 1], [0, -1, 0]), (0, 90, [1, 0, 0], [0, 0, 1]),
        (30, 12, [math.cos(math.radians(30)), 0, 0.5], None),
    ],
)  # fmt: skip
def test_the_view_is_from_the_side_or_above(
    azimuth_deg: float, elevation_deg: float, across: list, upward: list | None
) -> None:
    animation = animate(CLIP, azimuth_deg=azimuth_deg, elevation_deg=elevation_deg)
    bones = sizes(bones_in(show(animation, 2)[0]))
    parents, children = np.array(H36M_17.bones).T
    vectors = CLIP[2, children] - CLIP[2, parents]
    np.testing.assert_allclose(bones[:, 0], np.sort(vectors @ across), atol=1e-9)
    if upward is not None:
        np.testing.assert_allclose(bones[:, 1], np.sort(vectors @ upward), atol=1e-9)


def test_the_view_turns_at_its_speed() -> None:
    turning = animate(CLIP, fps=10, azimuth_deg=20.0, turn_deg_per_s=50.0)
    later = show(turning, 4)[0]
    still = show(animate(CLIP, fps=10, azimuth_deg=20.0 + 50 * 4 / 10), 4)[0]
    np.testing.assert_allclose(bones_in(later), bones_in(still), atol=1e-9)
    clip = np.stack([CLIP, CLIP], axis=1).reshape(16, 17, 3)
    thinned = animate(clip, fps=20, every=2, azimuth_deg=20.0, turn_deg_per_s=50.0)
    np.testing.assert_allclose(bones_in(show(thinned, 4)[0]), bones_in(still), atol=1e-9)
    assert np.abs(bones_in(show(turning, 4)[0]) - bones_in(show(animate(CLIP), 4)[0])).max() > 0.01


@pytest.mark.parametrize("turn_deg_per_s", [0.0, 100.0])
def test_limits_are_those_of_the_clip_and_hold_everything(turn_deg_per_s: float) -> None:
    animation = animate(CLIP, PIXELS, turn_deg_per_s=turn_deg_per_s)
    limits = [(ax.get_xlim(), ax.get_ylim()) for ax in show(animation, 0)]
    for frame in range(8):
        for ax, (x, y) in zip(show(animation, frame), limits, strict=True):
            assert (ax.get_xlim(), ax.get_ylim()) == (x, y)
            points = bones_in(ax).reshape(-1, 2)
            assert ((points > [x[0], y[0]]) & (points < [x[1], y[1]])).all()
    for ax in animation._fig.axes:
        box = ax.get_window_extent()
        assert np.ptp(ax.get_xlim()) / box.width == pytest.approx(
            np.ptp(ax.get_ylim()) / box.height
        )


@pytest.mark.parametrize("up", ["y", "z"])
def test_levelled_clips_look_as_in_camera_axes(up: str) -> None:
    expected = bones_in(show(animate(CLIP), 3)[0])
    found = bones_in(show(animate(turn_axes(CLIP, "-y", up), up=up), 3)[0])
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_shadows_lie_on_the_floor_under_the_lowest_joint_of_the_clip() -> None:
    (ax,) = show(animate(CLIP, **LEVEL), 5)
    (shadows,) = [c for c in ax.collections if is_of(c, SHADOW_COLOUR)]
    heights = np.array(shadows.get_segments())[..., 1]
    middle = (CLIP[..., 1].max() + CLIP[..., 1].min()) / 2
    np.testing.assert_allclose(heights, middle - CLIP[..., 1].max())


def test_people_come_and_go_with_trunks_and_numbers_of_their_own() -> None:
    people = np.stack([CLIP, CLIP + 2, CLIP - 2])
    people[1, :4] = np.nan
    pixels = np.stack([PIXELS] * 3)
    pixels[1, :4] = np.nan
    animation = animate(torch.from_numpy(people), torch.from_numpy(pixels))
    for frame, shown in ((2, {"1", "3"}), (6, {"1", "2", "3"})):
        for ax in show(animation, frame):
            assert len(bones_in(ax)) == 16 * len(shown)
            named = {t.get_text() for t in ax.texts if t.get_visible() and "s" not in t.get_text()}
            assert named == shown
    (legend,) = animation._fig.legends
    trunks = [line.get_color() for line in legend.get_lines()][2:]
    assert trunks == list(PEOPLE_COLOURS[:3])


def test_missing_joints_are_left_out() -> None:
    clip = CLIP.copy()
    clip[:, 16] = np.nan
    assert len(bones_in(show(animate(clip), 1)[0])) == 15


@pytest.mark.parametrize(
    ("frames", "fps", "every", "drawn", "pace"),
    [
        (50, 25, None, 50, 25), (50, 30, None, 50, 30), (50, 50, None, 25, 25),
        (61, 120, None, 16, 30), (6001, 50, None, 546, 50 / 11), (50, 50, 1, 50, 50),
        (50, 25, 7, 8, 25 / 7),
    ],
)  # fmt: skip
def test_long_and_fast_clips_are_thinned_at_their_own_pace(
    frames: int, fps: float, every: int | None, drawn: int, pace: float
) -> None:
    clip = np.broadcast_to(CLIP[:1], (frames, 17, 3))
    animation = animate(clip, fps=fps, every=every)
    assert animation._save_count == drawn and animation.fps == pytest.approx(pace)
    assert animation._interval == pytest.approx(1000 / pace)
    (ax,) = show(animation, drawn - 1)
    assert ax.texts[0].get_text() == f"{(drawn - 1) / pace:.2f} s"


@pytest.mark.parametrize(
    ("clip", "options", "message"),
    [
        (CLIP[:, :16], {}, r"poses_3d: expected \(T, 17, 3\) or \(P, T, 17, 3\) of skeleton 'h36m"),
        (PIXELS, {}, r"poses_3d: .* got \(8, 17, 2\)"),
        (CLIP[0], {}, r"poses_3d: .* got \(17, 3\)"),
        (CLIP[:0], {}, "poses_3d: expected at least one joint to draw"),
        (CLIP * np.nan, {}, "poses_3d: expected at least one joint to draw, got none that is fini"),
        (CLIP, {"poses_2d": PIXELS[:5]}, "poses_2d: expected 1 people in 8 frames, as in poses_3d"),
        (CLIP, {"fps": 0}, "fps: expected a rate above 0, got 0"),
        (CLIP, {"every": 0}, "every: expected 1 or more, got 0; 2 draws every second frame"),
        (np.stack([CLIP[0] * np.nan, CLIP[0]]), {"every": 2}, "got none with every=2; draw more"),
        (CLIP, {"up": "x"}, "up: expected one of -y, y, z, got 'x'"),
        (CLIP, {"turn_deg_per_s": math.inf}, "expected finite numbers, got 30.0, 12.0, inf"),
    ],
)
def test_what_cannot_be_animated_is_refused(clip: np.ndarray, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        animate(clip, **options)


@pytest.mark.parametrize("clip", [np.zeros((2, 17, 3)), CLIP[:1], 1e-7 * CLIP, 1e5 * CLIP])
def test_sizes_are_of_no_matter(clip: np.ndarray) -> None:
    animation = animate(clip)
    assert len(bones_in(show(animation, 0)[0])) == 16
    animation._fig.canvas.draw()


def test_a_notebook_plays_the_animation() -> None:
    page = animate(CLIP[:3], fps=10)._repr_html_()
    assert page.count("data:image/png;base64") == 3 and "100" in page
