"""Small pictures: limbs where they belong, in their colours, and bodies that really turn."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageColor

from selflift.skeleton import H36M_17
from selflift.train.tensorboard_pictures import (
    FRAMES,
    HEADING,
    PANEL_HEIGHT,
    real_and_generated,
    turning,
)
from selflift.viz import LEFT_COLOUR, RIGHT_COLOUR, TRUNK_COLOUR

RNG = np.random.default_rng(0)


def standing(count: int) -> np.ndarray:
    """``(N, 17, 3)``: left limbs at the right of the picture, trunk in the middle."""
    X = 0.02 * RNG.standard_normal((count, 17, 3))
    X[..., 1] += np.linspace(0.8, -0.8, 17)
    X[:, list(H36M_17.left), 0] += 0.4
    X[:, list(H36M_17.right), 0] -= 0.4
    return X


def where(picture: Image.Image, colour: str) -> np.ndarray:
    """Columns of the pixels of about a colour, below the heading."""
    pixels = np.asarray(picture.convert("RGB"), float)[HEADING:]
    near = np.abs(pixels - ImageColor.getrgb(colour)).sum(-1) < 60
    return near.nonzero()[1]


def test_real_poses_stand_above_generated_ones() -> None:
    pose = standing(1)[..., :2]
    picture = Image.open(io.BytesIO(real_and_generated(pose, pose[:, :, ::-1], H36M_17)))
    pixels = np.asarray(picture.convert("L"), float)
    upper = pixels[HEADING : HEADING + PANEL_HEIGHT] < 200
    lower = pixels[-PANEL_HEIGHT:] < 200
    # The generated pose lies on its side: wide where the real one is high.
    for ink, high in ((upper, True), (lower, False)):
        extent = [np.ptp(axis) for axis in ink.nonzero()]
        assert (extent[0] > extent[1]) == high


def test_a_missing_joint_is_left_out_with_its_bones() -> None:
    pose = standing(1)[..., :2]
    pose[:, list(H36M_17.left)] = np.nan
    picture = Image.open(io.BytesIO(real_and_generated(pose, standing(1)[..., :2], H36M_17)))
    upper = picture.crop((0, 0, picture.width, HEADING + PANEL_HEIGHT))
    assert len(where(upper, LEFT_COLOUR)) == 0 < len(where(upper, RIGHT_COLOUR))


def test_bodies_turn_once_about_the_vertical() -> None:
    film = Image.open(io.BytesIO(turning(standing(1), H36M_17)))
    assert film.format == "GIF" and film.n_frames == FRAMES and film.info["loop"] == 0
    sides = []
    for frame in (0, FRAMES // 4, FRAMES // 2):
        film.seek(frame)
        left, right = where(film, LEFT_COLOUR), where(film, RIGHT_COLOUR)
        sides.append((left.mean() if len(left) else np.nan) - right.mean())
    assert sides[0] > 30 and sides[2] < -30, "half a turn exchanges left and right"
    assert not abs(sides[1]) > 15, "from the side both are in the middle"


def test_a_quarter_turn_brings_what_is_far_to_the_right() -> None:
    X = standing(1)[..., [2, 1, 0]]
    film = Image.open(io.BytesIO(turning(X, H36M_17)))
    film.seek(FRAMES // 4)
    assert where(film, LEFT_COLOUR).mean() > where(film, RIGHT_COLOUR).mean() + 30


def test_the_trunk_is_drawn_too() -> None:
    film = Image.open(io.BytesIO(turning(standing(2), H36M_17)))
    assert len(where(film, TRUNK_COLOUR)) > 100
