"""plot_cycle runs the cycle as the lifter does, and shows whether it closes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection
from torch import Tensor

from selflift.geometry.camera import project
from selflift.method.views import ViewSampler
from selflift.models import Lifter
from selflift.models.lifter import Lifted
from selflift.viz import plot_cycle


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
