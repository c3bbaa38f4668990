"""Figures hold what they promise: limbs, sides, views, errors, the cycle; files are pictures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from torch import Tensor

from selflift.geometry.camera import project
from selflift.method.cycle import CycleOutput
from selflift.method.views import ViewSampler
from selflift.models import Lifter
from selflift.models.lifter import Lifted
from selflift.skeleton import H36M_17
from selflift.viz import (
    LEFT_COLOUR,
    RIGHT_COLOUR,
    TRUNK_COLOUR,
    ExamplePose,
    bone_colours,
    figure_cycle,
    figure_poses,
    plot_cycle,
    plot_pose_2d,
    plot_pose_3d,
    save_figure,
)

RNG = np.random.default_rng(0)
POSE_2D = RNG.uniform(0, 1000, (17, 2))
POSE_3D = RNG.standard_normal((17, 3))


def axes():
    return Figure(figsize=(3, 3)).subplots()


def drawn(ax) -> dict[tuple[float, ...], str]:
    """Colour of every drawn bone, by its end points."""
    (lines,) = [c for c in ax.collections if hasattr(c, "get_segments")]
    return {
        tuple(np.round(segment, 6).ravel()): to_hex(colour).upper()
        for segment, colour in zip(lines.get_segments(), lines.get_colors(), strict=True)
    }


def example(**changes: object) -> ExamplePose:
    pose = ExamplePose(POSE_2D, POSE_3D, 1.1 * POSE_3D, "a label", "PA-MPJPE 45.2 mm", H36M_17)
    return replace(pose, **changes)


def cycle(count: int = 3) -> CycleOutput:
    x, X = torch.randn(count, 17, 2), torch.randn(count, 17, 3, requires_grad=True)
    return CycleOutput(x, X, None, torch.eye(3).expand(count, 3, 3), X, x, X, X, x)


def test_left_right_and_trunk_have_three_colours() -> None:
    assert len({LEFT_COLOUR, RIGHT_COLOUR, TRUNK_COLOUR}) == 3
    colours = dict(zip(H36M_17.bones, bone_colours(H36M_17), strict=True))
    assert {colours[0, 4], colours[4, 5], colours[8, 11], colours[12, 13]} == {LEFT_COLOUR}
    assert {colours[0, 1], colours[1, 2], colours[8, 14], colours[15, 16]} == {RIGHT_COLOUR}
    assert {colours[0, 7], colours[7, 8], colours[9, 10]} == {TRUNK_COLOUR}


def test_a_2d_pose_is_drawn_bone_by_bone_with_up_upwards() -> None:
    ax = axes()
    plot_pose_2d(ax, POSE_2D, H36M_17)
    flipped = POSE_2D * [1, -1]
    expected = {
        tuple(np.round(flipped[[p, j]], 6).ravel()): colour
        for (p, j), colour in zip(H36M_17.bones, bone_colours(H36M_17), strict=True)
    }
    assert drawn(ax) == expected


@pytest.mark.parametrize(
    ("azimuth_deg", "across"),
    [(0.0, [1, 0, 0]), (90.0, [0, 0, 1]), (180.0, [-1, 0, 0]), (-90.0, [0, 0, -1])],
)
def test_a_view_turns_the_body_about_the_vertical(azimuth_deg: float, across: list[int]) -> None:
    ax = axes()
    plot_pose_3d(ax, POSE_3D, H36M_17, azimuth_deg)
    seen = np.stack([POSE_3D @ across, -POSE_3D[:, 1]], -1)
    expected = {
        tuple(np.round(seen[[p, j]], 6).ravel()): colour
        for (p, j), colour in zip(H36M_17.bones, bone_colours(H36M_17), strict=True)
    }
    assert drawn(ax) == expected


@pytest.mark.parametrize("nearer", ["left", "right"])
@pytest.mark.parametrize("azimuth_deg", [0.0, 90.0])
def test_the_nearer_limb_covers_the_farther(nearer: str, azimuth_deg: float) -> None:
    X = np.zeros((17, 3))
    X[:, 1] = np.arange(17)
    # At 0 degrees the viewer looks along z, at 90 degrees along -x.
    towards_viewer = np.array([0, 0, -1.0]) if azimuth_deg == 0 else np.array([1.0, 0, 0])
    X[list(getattr(H36M_17, nearer))] += towards_viewer
    ax = axes()
    plot_pose_3d(ax, X, H36M_17, azimuth_deg)
    last = list(drawn(ax).values())[-4:]
    assert set(last) == {LEFT_COLOUR if nearer == "left" else RIGHT_COLOUR}


def test_every_joint_lies_inside_an_undistorted_panel() -> None:
    for X in (POSE_3D, POSE_3D * [9, 1, 1], POSE_3D * [1, 9, 1], POSE_3D + 50):
        ax = axes()
        plot_pose_3d(ax, X, H36M_17, 0.0)
        (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
        assert ((X[:, 0] > left) & (X[:, 0] < right)).all()
        assert ((-X[:, 1] > bottom) & (-X[:, 1] < top)).all()
        assert ax.get_aspect() == 1


def test_a_row_shows_input_prediction_and_truth_from_two_views() -> None:
    figure = figure_poses([example(), example(label="another", error="PA-MPJPE 99.9 mm")])
    assert len(figure.axes) == 10
    first = figure.axes[:5]
    for ax, pose in zip(first[1:], ("prediction", "truth") * 2, strict=True):
        X = getattr(example(), pose)
        assert any(np.isclose(key[1], -X[0, 1]) for key in drawn(ax)), pose
    assert {ax.get_xlim() for ax in first[1:]} == {first[1].get_xlim()}, "one scale in a row"
    assert figure.axes[1].get_title() == "PA-MPJPE 45.2 mm"
    assert figure.axes[6].get_title() == "PA-MPJPE 99.9 mm"
    words = [text.get_text() for text in figure.texts]
    assert words == ["2D input", "prediction, camera view", "truth, camera view",
                     "prediction, side view", "truth, side view"]  # fmt: skip
    (legend,) = figure.legends
    named = {
        t.get_text(): h.get_color() for t, h in zip(legend.texts, legend.get_lines(), strict=True)
    }
    assert named == {
        "left limbs": LEFT_COLOUR, "right limbs": RIGHT_COLOUR, "trunk": TRUNK_COLOUR,
    }  # fmt: skip


def test_the_cycle_is_drawn_for_the_first_poses() -> None:
    out = cycle()
    figure = figure_cycle(out, H36M_17, 2)
    assert len(figure.axes) == 2 * 7
    assert len(figure_cycle(out, H36M_17, 9).axes) == 3 * 7
    first, last = figure.axes[7], figure.axes[13]
    assert drawn(first) == drawn(last) != drawn(figure.axes[0])


def test_a_figure_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="expected at least one pose to draw, got none"):
        figure_poses([])
    with pytest.raises(ValueError, match="expected at least one pose to draw, got none"):
        figure_cycle(cycle(), H36M_17, 0)


def test_saving_writes_a_png_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "figures" / "poses.png"
    save_figure(figure_poses([example()]), path)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert list(path.parent.iterdir()) == [path]


def test_the_ending_gives_the_format(tmp_path: Path) -> None:
    save_figure(figure_poses([example()]), tmp_path / "poses.svg")
    assert b"<svg" in (tmp_path / "poses.svg").read_bytes()


def test_importing_viz_does_not_import_pyplot() -> None:
    code = "import sys, selflift.viz; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def lifter(**options: object) -> Lifter:
    torch.manual_seed(0)
    return Lifter(width=16, num_blocks=1, **options)


class Oracle(Lifter):
    """Lifts the poses that it was told, in turn."""

    def __init__(self, answers: list[Tensor]) -> None:
        super().__init__(width=1, num_blocks=0)
        self.answers = answers

    def lift_with_elevation(self, x: Tensor, confidence: Tensor | None = None) -> Lifted:
        X = self.answers.pop(0)
        return Lifted(X, X[..., 2], None, x)


def panels(figure, row: int = 0) -> list[np.ndarray]:
    """Sorted end points of the bones of every panel in a row."""
    return [
        np.sort(np.array(next(
            c for c in ax.collections if isinstance(c, LineCollection)
        ).get_segments()).reshape(-1, 4), axis=0)
        for ax in figure.axes[7 * row : 7 * row + 7]
    ]  # fmt: skip


@pytest.fixture
def x(make_bodies: Callable[..., Tensor]) -> Tensor:
    return project(make_bodies(5) + torch.tensor([0.0, 0.0, 10.0]))


def test_a_lifter_that_knows_the_truth_closes_the_cycle(make_bodies: Callable[..., Tensor]) -> None:
    X = make_bodies(1, dtype=torch.float32) + torch.tensor([0.0, 0.0, 10.0])
    # A view that turns nothing: what is seen again is what was seen.
    still = ViewSampler("paper", azimuth_range_deg=0.0, elevation_range_deg=0.0)
    right = panels(plot_cycle(Oracle([X, X]), project(X), still))
    np.testing.assert_allclose(right[0], right[6], atol=1e-6)
    np.testing.assert_allclose(right[4], right[5], atol=1e-6)
    wrong = panels(plot_cycle(Oracle([X, X + 0.1 * X.roll(1, -2)]), project(X), still))
    assert np.abs(wrong[0] - wrong[6]).max() > 1e-3


def test_the_seed_gives_the_view(x: Tensor) -> None:
    first, again, other = (panels(plot_cycle(lifter(), x, seed=seed))[3] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_arrays_and_single_poses_are_taken(x: Tensor) -> None:
    one = plot_cycle(lifter(), x[0].numpy())
    assert len(one.axes) == 7
    np.testing.assert_allclose(panels(one)[0], panels(plot_cycle(lifter(), x))[0], atol=1e-7)
    assert len(plot_cycle(lifter(), x).axes) == 4 * 7
    assert len(plot_cycle(lifter(), x, count=99).axes) == 5 * 7


@pytest.mark.parametrize("elevation", [False, True])
def test_views_are_drawn_as_the_lifter_allows(x: Tensor, elevation: bool) -> None:
    G = lifter(elevation=elevation)
    kind = "learned" if elevation else "paper"
    np.testing.assert_array_equal(
        panels(plot_cycle(G, x))[3], panels(plot_cycle(G, x, ViewSampler(kind)))[3]
    )


@pytest.mark.parametrize("training", [False, True])
def test_the_lifter_stays_as_it_was(x: Tensor, training: bool) -> None:
    G = lifter().train(training)
    before = {name: value.clone() for name, value in G.state_dict().items()}
    plot_cycle(G, x)
    assert G.training is training
    assert all(torch.equal(value, before[name]) for name, value in G.state_dict().items())
    with pytest.raises(ValueError):
        plot_cycle(G, x + 1)
    assert G.training is training


def test_missing_joints_are_not_drawn_in_the_input(x: Tensor) -> None:
    confidence = torch.ones(5, 17)
    confidence[0, 13] = 0
    x[0, 13] = float("nan")
    shown = panels(plot_cycle(lifter(confidences=True), x, confidence=confidence))
    assert [len(panel) for panel in shown] == [15, 16, 16, 16, 16, 16, 16]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda x: {"x": x[:, :16]},
            r"x: expected \(B, 17, 2\) or \(17, 2\), the lifter's 'h36m_17'",
        ),
        (
            lambda x: {"x": 1000 * x + 500},
            "poses with Hip at the origin, got it up to 500 away; see",
        ),
        (lambda x: {"x": x / 0}, "x: expected finite poses, got NaN; mark missing joints by conf"),
        (lambda x: {"x": x, "confidence": torch.ones(4, 17)}, r"expected shape \(5, 17\), one num"),
        (lambda x: {"x": x[:0]}, "expected at least one pose to draw, got none"),
        (
            lambda x: {"x": x, "views": ViewSampler("learned")},
            "expected a lifter with an elevation",
        ),
    ],
)
def test_what_is_no_input_is_refused(
    x: Tensor, change: Callable[[Tensor], dict], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        plot_cycle(lifter(), **change(x))
