"""Films: a GIF of all frames at its pace, ffmpeg where it is, whole files or none."""

from __future__ import annotations

import builtins
import stat
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure
from PIL import Image

from selflift.viz import LEFT_COLOUR, animate, save_animation

CLIP = np.random.default_rng(0).standard_normal((7, 17, 3))
# Takes frames, writes as many bytes as it got, and its arguments.
FAKE = """#!{python}
import sys
data = sys.stdin.buffer.read()
open(sys.argv[-1], "w").write(f"{{len(data)}} " + " ".join(sys.argv[1:]))
"""
BROKEN = """#!{python}
import sys
sys.stdin.buffer.read()
sys.exit("first line\\nUnknown encoder 'h264'")
"""


def frames_of(path: Path) -> list[Image.Image]:
    with Image.open(path) as film:
        found = []
        for i in range(film.n_frames):
            film.seek(i)
            found.append(film.convert("RGB"))
        return found


def durations_of(path: Path) -> list[int]:
    with Image.open(path) as film:
        found = []
        for i in range(film.n_frames):
            film.seek(i)
            found.append(film.info["duration"])
        return found


@pytest.fixture
def no_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PATH, and no package; returns the PATH's folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delitem(sys.modules, "imageio_ffmpeg", raising=False)
    real = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> ModuleType:
        if name == "imageio_ffmpeg" and name not in sys.modules:
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    return folder


def install(path: Path, text: str) -> None:
    path.write_text(text.format(python=sys.executable))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_a_gif_has_every_frame_in_true_colours(tmp_path: Path) -> None:
    animation = animate(CLIP, fps=10)
    save_animation(animation, tmp_path / "out" / "clip.gif")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["clip.gif"]
    frames = frames_of(tmp_path / "out" / "clip.gif")
    assert len(frames) == 7
    for i, frame in enumerate(frames):
        animation._draw_frame(i)
        animation._fig.canvas.draw()
        drawn = np.asarray(animation._fig.canvas.buffer_rgba())[..., :3].astype(int)
        assert np.abs(np.asarray(frame) - drawn).max() < 30
        assert frame.getpixel((0, 0)) == (255, 255, 255)
    blue = tuple(int(LEFT_COLOUR[i : i + 2], 16) for i in (1, 3, 5))
    assert blue in {colour for _, colour in frames[0].getcolors(1 << 24)}


@pytest.mark.parametrize(
    ("fps", "expected"), [(10, [100] * 7), (30, [30, 40, 30, 30, 40, 30, 30]), (50, [20] * 7)]
)
def test_frames_last_as_long_as_they_should(
    tmp_path: Path, fps: float, expected: list[int]
) -> None:
    save_animation(animate(CLIP, fps=fps, every=1), tmp_path / "a.gif")
    assert durations_of(tmp_path / "a.gif") == expected


def test_the_pace_can_be_changed(tmp_path: Path) -> None:
    save_animation(animate(CLIP, fps=10), tmp_path / "a.GIF", fps=5)
    assert durations_of(tmp_path / "a.GIF") == [200] * 7


def test_colours_that_come_late_are_kept(tmp_path: Path) -> None:
    people = np.stack([CLIP, CLIP + 1])
    people[1, :6] = np.nan
    save_animation(animate(people, fps=10), tmp_path / "a.gif")
    green = (0x00, 0x9E, 0x73)
    counts = {c: n for n, c in frames_of(tmp_path / "a.gif")[6].getcolors(1 << 24)}
    assert counts.get(green, 0) > 100


def test_animations_of_matplotlib_are_saved_too(tmp_path: Path) -> None:
    figure = Figure(figsize=(2, 1))
    (line,) = figure.subplots().plot([0, 1])
    own = FuncAnimation(figure, lambda t: [line.set_ydata([t, 1])], frames=3)
    with pytest.raises(ValueError, match="expected fps above 0, got None; only animations of"):
        save_animation(own, tmp_path / "a.gif")
    save_animation(own, tmp_path / "a.gif", fps=2)
    assert len(frames_of(tmp_path / "a.gif")) == 3


def test_ffmpeg_of_the_path_gets_all_frames(tmp_path: Path, no_ffmpeg: Path) -> None:
    install(no_ffmpeg / "ffmpeg", FAKE)
    animation = animate(CLIP, fps=12.5)
    save_animation(animation, tmp_path / "a.mp4")
    size, *words = (tmp_path / "a.mp4").read_text().split()
    wide, high = animation._fig.canvas.get_width_height()
    assert (wide % 2, high % 2) == (0, 0) and int(size) == 7 * wide * high * 4
    text = " ".join(words)
    assert "-f mp4" in text and "yuv420p" in text and "12.5" in words and f"{wide}x{high}" in words


def test_the_package_serves_where_the_path_has_none(
    tmp_path: Path, no_ffmpeg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "bundled", FAKE)
    package = ModuleType("imageio_ffmpeg")
    package.get_ffmpeg_exe = lambda: str(tmp_path / "bundled")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", package)
    save_animation(animate(CLIP), tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").is_file()


def test_without_ffmpeg_one_line_says_what_to_do(tmp_path: Path, no_ffmpeg: Path) -> None:
    with pytest.raises(ValueError, match="expected ffmpeg, got none on the PATH and no package"):
        save_animation(animate(CLIP), tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == [no_ffmpeg]


def test_an_ffmpeg_that_fails_is_quoted_and_leaves_the_earlier_file(
    tmp_path: Path, no_ffmpeg: Path
) -> None:
    install(no_ffmpeg / "ffmpeg", BROKEN)
    (tmp_path / "a.mp4").write_text("before")
    with pytest.raises(
        ValueError, match="expected ffmpeg to write H.264, got 'Unknown encoder"
    ) as e:
        save_animation(animate(CLIP), tmp_path / "a.mp4")
    assert "\n" not in str(e.value) and (tmp_path / "a.mp4").read_text() == "before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "bin"]


@pytest.mark.parametrize(
    ("name", "fps", "message"),
    [
        ("a.avi", None, r"expected a name that ends in .gif or .mp4, got '.avi'"),
        ("a", None, r"expected a name that ends in .gif or .mp4, got ''"),
        ("a.gif", 0, "expected fps above 0, got 0"),
        ("a.gif", 60, r"at most 50 frames per second in a GIF, got 60; draw fewer \(animate\("),
    ],
)
def test_what_cannot_be_written_is_refused(
    tmp_path: Path, name: str, fps: float | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        save_animation(animate(CLIP), tmp_path / name, fps)
    assert not list(tmp_path.iterdir())


def test_forty_frames_take_seconds(tmp_path: Path) -> None:
    clip = np.tile(CLIP, (6, 1, 1))[:40]
    start = time.process_time()
    save_animation(animate(clip, 100 * clip[..., :2], fps=25), tmp_path / "a.gif")
    assert time.process_time() - start < 12
