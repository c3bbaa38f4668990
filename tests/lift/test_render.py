"""Pictures: what is handed to those who draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selflift.lift import render
from selflift.lift.outputs import write_all
from selflift.lift.people import Prediction
from selflift.lift.render import timeline
from selflift.skeleton import H36M_17
from tests.lift.conftest import walkers


@pytest.fixture
def prediction(predicted: Callable[..., Prediction]) -> Prediction:
    """Two people; the second comes later and lacks ten frames."""
    x = walkers(2, 30)
    x[:3, 1] = np.nan
    x[12:22, 1] = np.nan
    return predicted(x)


def draw(prediction: Prediction, path: Path) -> None:
    write_all(prediction, [], [path], "walk", overwrite=False)


def test_a_contact_sheet_is_a_picture(prediction: Prediction, tmp_path: Path) -> None:
    draw(prediction, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_people_come_on_one_axis_of_time(prediction: Prediction) -> None:
    frame, X, x = timeline(prediction.people, prediction)
    assert frame.tolist() == list(range(30))
    assert X.shape == (2, 30, 17, 3) and x.shape == (2, 30, 17, 2)
    absent = [0, 1, 2, *range(12, 22)]
    assert np.isnan(X[1, absent]).all() and np.isnan(x[1, absent]).all()
    there = np.setdiff1d(frame, absent)
    assert np.isfinite(X[0]).all() and np.isfinite(X[1, there]).all()
    np.testing.assert_allclose(np.nanquantile(X[..., 1].min(-1), 0.05), 0, atol=1e-6)
    np.testing.assert_allclose(x[0], prediction.people[0].poses.pose_2d)
    frame = np.concatenate([[0, 1], 10**6 + np.arange(28)])
    far = replace(prediction.people[0], frame=frame)
    with pytest.raises(ValueError, match="expected at most 20,000 frames for an animation"):
        timeline([far], prediction)


@pytest.mark.parametrize("ending", [".gif", ".mp4"])
def test_an_animation_gets_levelled_people(
    prediction: Prediction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    def animate(X: np.ndarray, x: np.ndarray, skeleton: Any, fps: float, *, up: str) -> Any:
        assert X.shape[:2] == x.shape[:2] == (2, 30) and skeleton == H36M_17
        assert fps == 30 and up == "y"
        return "animation"

    def save_animation(animation: Any, path: Path) -> None:
        assert animation == "animation" and path.suffix == ending
        path.write_text("drawn")

    monkeypatch.setattr(render, "animate", animate)
    monkeypatch.setattr(render, "save_animation", save_animation)
    draw(prediction, tmp_path / f"a{ending}")
    assert (tmp_path / f"a{ending}").read_text() == "drawn"


def test_the_viewer_gets_people_as_the_camera_saw_them(
    prediction: Prediction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_viewer(path: Path, people: list[Any], skeleton: Any, **given: Any) -> None:
        assert [person.name for person in people] == ["person1", "person2"]
        assert given["fps"] == 30 and given["title"] == "walk" and skeleton == H36M_17
        assert all(isinstance(n, int) for n in given["size_px"])
        assert set(prediction.assumed) <= set(given["notes"])
        one = people[1]
        assert one.frame.tolist() == [*range(3, 12), *range(22, 30)]
        assert one.X_m.shape == (17, 17, 3) and (one.X_m[..., 2] < 0).all()
        assert one.pose_2d.shape == (17, 17, 2) and one.filled.dtype == bool
        path.write_text("page")

    monkeypatch.setattr(render, "write_viewer", write_viewer)
    draw(prediction, tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text() == "page"


def test_errors_name_the_users_file(
    prediction: Prediction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save_animation(animation: Any, path: Path) -> None:
        raise ValueError(f"animation '{path}': expected ffmpeg, got none")

    monkeypatch.setattr(render, "animate", lambda *_, **__: None)
    monkeypatch.setattr(render, "save_animation", save_animation)
    with pytest.raises(ValueError, match=f"animation '{tmp_path / 'a.mp4'}': expected ffmpeg"):
        draw(prediction, tmp_path / "a.mp4")


def test_nobody_is_not_drawn(predicted: Callable[..., Prediction], tmp_path: Path) -> None:
    x = walkers(1, 4)
    x[:, 0, 0] = np.nan
    found = predicted(x)
    for name in ("a.png", "a.html"):
        with pytest.raises(ValueError, match=f"{name}': expected somebody with a pose, got nobody"):
            draw(found, tmp_path / name)
    with pytest.raises(ValueError, match=r"a.bvh': expected somebody with a pose"):
        write_all(found, [tmp_path / "a.bvh"], [], "walk", overwrite=False)
