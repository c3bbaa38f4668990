"""plot_pose draws what it is given, says what it can't, and a notebook shows it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from selflift.geometry.axes import turn_axes
from selflift.skeleton import COCO_17, H36M_17
from selflift.viz import LEFT_COLOUR, plot_pose

RNG = np.random.default_rng(0)
FLAT = RNG.uniform(0, 1000, (4, 17, 2))
SOLID = RNG.standard_normal((4, 17, 3))


def bones_in(ax, which: int = -1) -> np.ndarray:
    """End points of the bones in a panel, ``(B, 2, 2)``; the last drawn body unless told."""
    lines = [c for c in ax.collections if isinstance(c, LineCollection)]
    return np.array(lines[which].get_segments())


def opacities(ax) -> np.ndarray:
    (lines,) = [c for c in ax.collections if isinstance(c, LineCollection)]
    return lines.get_colors()[:, 3]


def as_sets(segments: np.ndarray) -> set[tuple[float, ...]]:
    return {tuple(np.round(segment, 6).ravel()) for segment in segments}


def bones_of(points: np.ndarray) -> set[tuple[float, ...]]:
    return as_sets(points[np.array(H36M_17.bones)])


def words(figure) -> list[str]:
    return [text.get_text() for text in figure.texts if text.get_text()]


def test_a_2d_pose_is_one_panel_up_upwards() -> None:
    (ax,) = plot_pose(FLAT[0]).axes
    assert as_sets(bones_in(ax)) == bones_of(FLAT[0] * [1, -1])


def test_a_3d_pose_is_seen_from_camera_side_and_above() -> None:
    figure = plot_pose(SOLID[0], "h36m_17")
    assert words(figure) == ["camera view", "side view", "from above"]
    x, y, z = SOLID[0].T
    for ax, seen in zip(figure.axes, ((x, -y), (z, -y), (x, z)), strict=True):
        assert as_sets(bones_in(ax)) == bones_of(np.stack(seen, -1))


def test_views_of_a_pose_share_a_scale_and_hold_all_of_it() -> None:
    for X in (SOLID[0] + [0, 0, 50], SOLID[0] * [1, 1, 9]):
        axes = plot_pose(X).axes
        assert len({round(np.ptp(ax.get_xlim()), 9) for ax in axes}) == 1
        for ax in axes:
            (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
            points = bones_in(ax).reshape(-1, 2)
            assert ((points > [left, low]) & (points < [right, high])).all()
            assert ax.get_aspect() == 1


@pytest.mark.parametrize("up", ["y", "z"])
def test_levelled_poses_are_drawn_as_in_camera_axes(up: str) -> None:
    expected = [as_sets(bones_in(ax)) for ax in plot_pose(SOLID[0]).axes]
    figure = plot_pose(turn_axes(SOLID[0], "-y", up), up=up)
    assert [as_sets(bones_in(ax)) for ax in figure.axes] == expected
    assert words(figure)[0] == "front view"


def test_tensors_are_poses_too() -> None:
    figure = plot_pose(torch.from_numpy(SOLID).float().requires_grad_(), H36M_17)
    assert len(figure.axes) == 4 * 3
    for ax, expected in zip(figure.axes, plot_pose(SOLID).axes, strict=True):
        np.testing.assert_allclose(bones_in(ax), bones_in(expected), atol=1e-5)


def test_other_layouts_are_known_by_name_and_as_objects() -> None:
    for skeleton in ("coco_17", COCO_17):
        (ax,) = plot_pose(FLAT[0], skeleton).axes
        assert as_sets(bones_in(ax)) == as_sets((FLAT[0] * [1, -1])[np.array(COCO_17.bones)])


def test_missing_joints_are_left_out_with_their_bones() -> None:
    pose = FLAT[0].copy()
    pose[H36M_17.index("LElbow")] = np.nan
    pose[H36M_17.index("Head")] = np.inf
    (ax,) = plot_pose(pose).axes
    left_out = {("LShoulder", "LElbow"), ("LElbow", "LWrist"), ("Nose", "Head")}
    kept = [b for b in H36M_17.bones if tuple(H36M_17.joints[j] for j in b) not in left_out]
    assert as_sets(bones_in(ax)) == as_sets((pose * [1, -1])[np.array(kept)])


def test_unsure_joints_are_fainter_and_those_of_no_confidence_left_out() -> None:
    confidence = np.ones(17)
    confidence[H36M_17.index("RWrist")] = 0.3
    (ax,) = plot_pose(FLAT[0], confidence=confidence).axes
    faint = opacities(ax)
    assert len(faint) == 16 and (faint < 1).sum() == 1 and 0.15 < faint.min() < 0.6
    confidence[H36M_17.index("RWrist")] = 0
    (ax,) = plot_pose(FLAT[0], confidence=confidence).axes
    assert len(bones_in(ax)) == 15 and (opacities(ax) == 1).all()
    axes = plot_pose(SOLID, confidence=np.full((4, 17), 0.5)).axes
    assert all((opacities(ax) < 1).all() for ax in axes)
    confidence = np.ones(17)
    confidence[H36M_17.index("RElbow")] = 0.5
    (ax,) = plot_pose(FLAT[0], confidence=confidence).axes
    assert (opacities(ax) < 1).sum() == 2, "both bones of a joint are as faint as it"


def test_the_truth_lies_broad_and_pale_below() -> None:
    truth = SOLID[:2] + 0.3
    figure = plot_pose(SOLID[:2], truth=truth)
    ax = figure.axes[3]
    assert as_sets(bones_in(ax, 0)) == bones_of(truth[1, :, :2] * [1, -1])
    below, above = (c for c in ax.collections if isinstance(c, LineCollection))
    assert below.get_linewidth()[0] > 2 * above.get_linewidth()[0]
    assert below.get_zorder() < above.get_zorder()
    assert LEFT_COLOUR not in {to_hex(c).upper() for c in below.get_colors()}
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.texts][-1] == "truth"
    assert "truth" not in [t.get_text() for t in plot_pose(SOLID[0]).legends[0].texts]


@pytest.mark.parametrize("kind", ["bytes", "floats", "grey", "tensor"])
def test_poses_lie_on_the_image_where_their_pixels_are(kind: str) -> None:
    image = np.full((60, 80, 3), 90, np.uint8)
    given = {
        "bytes": image, "floats": image / 255, "grey": image[..., 0],
        "tensor": torch.from_numpy(image),
    }[kind]  # fmt: skip
    pose = np.full((17, 2), [20, 10])
    figure = plot_pose(np.stack([pose, pose + 30]), image=given, labels=["one", "two"])
    (ax,) = figure.axes
    assert ax.images[0].get_extent() == [-0.5, 79.5, -59.5, 0.5]
    assert {tuple(p) for p in bones_in(ax).reshape(-1, 2)} == {(20, -10), (50, -40)}
    assert [text.get_text() for text in ax.texts] == ["one", "two"]
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())
    # A place of the image where nothing is drawn; rounding of colour maps aside.
    assert (np.abs(pixels[100, 300, :3].astype(int) - 90) <= 1).all()


@pytest.mark.parametrize(("count", "panels"), [(1, 1), (3, 3), (6, 6), (8, 8), (13, 18), (24, 24)])
def test_several_2d_poses_have_a_panel_each(count: int, panels: int) -> None:
    poses = RNG.uniform(0, 1, (count, 17, 2))
    figure = plot_pose(poses, labels=[str(i) for i in range(count)])
    assert len(figure.axes) == panels
    drawn = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title() for ax in drawn] == [str(i) for i in range(count)]
    assert as_sets(bones_in(drawn[-1])) == bones_of(poses[-1] * [1, -1])


@pytest.mark.parametrize(
    ("pose", "options", "message"),
    [
        (
            FLAT[0, :16],
            {},
            r"pose: expected \(17, 2 or 3\) or \(N, 17, 2 or 3\) of skeleton 'h36m_",
        ),
        (np.zeros((17, 4)), {}, r"got \(17, 4\); name the skeleton that the poses have"),
        (np.zeros((1, 2, 17, 3)), {}, r"got \(1, 2, 17, 3\)"),
        (np.zeros((0, 17, 3)), {}, "expected at least one joint to draw"),
        (np.full((17, 2), np.nan), {}, "expected at least one joint to draw, got none that is fin"),
        (np.zeros((25, 17, 2)), {}, "expected at most 24 poses in a figure, got 25; choose some"),
        (FLAT, {"truth": FLAT[:3]}, r"truth: expected shape \(4, 17, 2\), to fit the poses, got"),
        (FLAT[0], {"confidence": np.ones(16)}, r"confidence: expected shape \(1, 17\)"),
        (FLAT, {"labels": ["a"]}, r"labels: expected one per pose \(4\), got 1"),
        (SOLID, {"image": np.zeros((9, 9))}, "image: expected 2D poses to draw over it, got 3D"),
        (FLAT, {"image": np.zeros((3, 9, 9))}, r"got \(3, 9, 9\); put the colours last"),
        (
            FLAT,
            {"image": np.full((9, 9), 255.0)},
            "floats from 0 to 1, got float64 from 255 to 255",
        ),
        (SOLID, {"up": "x"}, "up: expected one of -y, y, z, got 'x'"),
        (FLAT, {"skeleton": "me"}, "skeleton: expected one of cmu_31"),
    ],
)
def test_what_cannot_be_drawn_is_refused(pose: object, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plot_pose(pose, **options)


def test_the_users_arrays_stay_as_they_are() -> None:
    pose, truth = FLAT[0].copy(), FLAT[1].copy()
    pose[3] = np.inf
    before = pose.copy()
    plot_pose(pose, truth=truth, confidence=np.linspace(0, 1, 17))
    np.testing.assert_array_equal(pose, before)
    np.testing.assert_array_equal(truth, FLAT[1])


def test_a_notebook_shows_the_figure() -> None:
    assert plot_pose(FLAT[0])._repr_png_().startswith(b"\x89PNG\r\n\x1a\n")
