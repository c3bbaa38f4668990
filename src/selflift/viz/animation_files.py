"""Animation files: GIF through Pillow, MP4 through ffmpeg."""

from __future__ import annotations

import io
import shutil
import subprocess
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.animation import AbstractMovieWriter, FFMpegWriter, FuncAnimation
from matplotlib.figure import Figure
from PIL import Image

from selflift.files.atomic_write import atomic_path

# GIF counts hundredths of a second, and viewers slow down what is shown for less than two.
GIF_MOST_FPS = 50.0
GIF_COLOURS = 256
# Colours nearer than this (of 255) become one.
NEAR = 14
ENDINGS = (".gif", ".mp4")


def save_animation(animation: FuncAnimation, path: str | Path, fps: float | None = None) -> None:
    """Write an animation, atomically; the name's ending gives the format.

    Args:
        animation: Of :func:`~selflift.viz.animate`, or another one of matplotlib's.
        path: ``.gif``, or ``.mp4`` (H.264), for which ``ffmpeg`` has to be on the PATH, or the
            package ``imageio-ffmpeg`` installed.
        fps: Drawn frames per second; the animation's own pace if ``None``.

    Raises:
        ValueError: If the ending is another, ``fps`` is out of range, or ffmpeg is not found.
        OSError: If it can't be written; an earlier file of that name is intact.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise ValueError(
            f"animation '{path}': expected a name that ends in {' or '.join(ENDINGS)}, got "
            f"'{path.suffix}'"
        )
    # Matplotlib's annotations want whole numbers.
    rate: Any = float(getattr(animation, "fps", "nan") if fps is None else fps)
    if not (isfinite(rate) and rate > 0):
        raise ValueError(
            f"animation '{path}': expected fps above 0, got {fps}; only animations of "
            "selflift.viz.animate have their own"
        )
    if ending == ".gif" and rate > GIF_MOST_FPS:
        raise ValueError(
            f"animation '{path}': expected at most {GIF_MOST_FPS:g} frames per second in a GIF, "
            f"got {rate:g}; draw fewer (animate(..., every=2)), or write .mp4"
        )
    writer = _GifWriter(fps=rate) if ending == ".gif" else _ffmpeg_writer(path, rate)
    with atomic_path(path) as temporary:
        try:
            animation.save(str(temporary), writer=writer)
        except (subprocess.CalledProcessError, BrokenPipeError) as error:
            lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            raise ValueError(
                f"animation '{path}': expected ffmpeg to write H.264, got '{lines[-1]}'; pip "
                "install imageio-ffmpeg, or write .gif"
            ) from error


def find_ffmpeg() -> str | None:
    """Find ffmpeg on the PATH, else in the package ``imageio-ffmpeg``, if it is installed."""
    found = shutil.which("ffmpeg")
    if found is not None:
        return found
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None


class _GifWriter(AbstractMovieWriter):
    """Frames with one palette for all, so that colours don't flicker and files are small.

    The palette grows with the frames: the most frequent colours first, and none near to another.
    """

    def setup(self, fig: Figure, outfile: Any, dpi: float | None = None) -> None:
        super().setup(fig, outfile, dpi=dpi)
        self._frames: list[Image.Image] = []
        self._palette = np.empty((0, 3), int)
        # The place of each colour in the palette; -1 if it is not looked up yet.
        self._places = np.full(1 << 24, -1, np.int16)

    def grab_frame(self, **savefig_kwargs: Any) -> None:
        picture = io.BytesIO()
        self.fig.savefig(picture, format="rgba", dpi=self.dpi)
        wide, high = self.frame_size
        rgba = np.frombuffer(picture.getvalue(), np.uint8).reshape(high, wide, 4).astype(np.int32)
        colours = rgba[..., 0] << 16 | rgba[..., 1] << 8 | rgba[..., 2]
        self._learn(colours[self._places[colours] < 0])
        self._frames.append(Image.fromarray(self._places[colours].astype(np.uint8)))

    def finish(self) -> None:
        if not self._frames:
            return
        for frame in self._frames:
            frame.putpalette(self._palette.astype(np.uint8).tobytes())
        # Hundredths that add up: at 30 per second 3, 4 and 3.
        ends = np.round(100 * np.arange(len(self._frames) + 1) / self.fps)
        self._frames[0].save(
            self.outfile, format="GIF", save_all=True, append_images=self._frames[1:],
            duration=(10 * np.diff(ends)).astype(int).tolist(), loop=0, optimize=False,
        )  # fmt: skip

    def _learn(self, colours: np.ndarray) -> None:
        """Add new colours, ``(N,)``, to the palette if they are unlike all before."""
        if not len(colours):
            return
        new, counts = np.unique(colours, return_counts=True)
        new = new[np.argsort(-counts, kind="stable")]
        rgb = np.stack([new >> 16, new >> 8 & 255, new & 255], -1)
        away = np.full(len(new), np.inf)
        if len(self._palette):
            away = np.square(rgb[:, None] - self._palette).sum(-1).min(1).astype(float)
        while len(self._palette) < GIF_COLOURS and (away > NEAR**2).any():
            another = rgb[np.argmax(away > NEAR**2)]
            self._palette = np.concatenate([self._palette, another[None]])
            away = np.minimum(away, np.square(rgb - another).sum(-1))
        self._places[new] = np.square(rgb[:, None] - self._palette).sum(-1).argmin(1)


def _ffmpeg_writer(path: Path, fps: Any) -> AbstractMovieWriter:
    program = find_ffmpeg()
    if program is None:
        raise ValueError(
            f"animation '{path}': expected ffmpeg, got none on the PATH and no package "
            "imageio-ffmpeg; pip install imageio-ffmpeg, or write .gif"
        )

    class Writer(FFMpegWriter):
        @classmethod
        def bin_path(cls) -> str:
            return str(program)

    # The temporary file's name has no ending that gives the format.
    return Writer(fps=fps, codec="h264", extra_args=["-pix_fmt", "yuv420p", "-f", "mp4"])
