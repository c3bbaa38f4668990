"""Cameras of MPI-INF-3DHP: the file, line by line, and the fit that stands in for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from selflift.data.recording import Report
from selflift.files.untrusted import ImportFileError
from selflift.formats.mpi_inf_3dhp.calibration import fit_view, read_calibration
from selflift.geometry.camera import world_to_camera
from tests.formats.mpi_inf_3dhp import studio

# As published, with its seven digits.
PUBLISHED = """Skeletool Camera Calibration File V1.0
name          0
  sensor      10 10
  size        2048 2048
  animated    0
  intrinsic   1497.693 0 1024.704 0 0 1497.103 1051.394 0 0 0 1 0 0 0 0 1 
  extrinsic   0.9650164 0.00488022 0.262144 -562.8666 -0.004488356 -0.9993728 0.0351275 1398.138 \
0.262151 -0.03507521 -0.9643893 3852.623 0 0 0 1 
  radial      0
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "camera.calibration"
    path.write_text(text)
    return path


def test_the_published_camera_is_read(tmp_path: Path) -> None:
    report = Report()
    views = read_calibration(write(tmp_path, PUBLISHED), report)
    assert list(views) == [0] and report.notes == []
    view = views[0]
    np.testing.assert_array_equal(view.f_px, [1497.693, 1497.103])
    np.testing.assert_array_equal(view.c_px, [1024.704, 1051.394])
    np.testing.assert_array_equal(view.size_px, [2048, 2048])
    assert not view.radial.any() and not view.tangential.any()


def test_the_published_camera_stands_upright_in_a_z_up_world(tmp_path: Path) -> None:
    view = read_calibration(write(tmp_path, PUBLISHED), Report())[0]
    assert view.rotation is not None and view.centre_mm is not None
    # Its image's y axis points down, its optical axis nearly along the floor, 1.5 m above it.
    assert view.rotation[1] @ [0, 0, 1] < -0.99
    assert abs(view.rotation[2] @ [0, 0, 1]) < 0.05
    assert 1500 < view.centre_mm[2] < 1600
    assert np.linalg.det(view.rotation) == pytest.approx(1, abs=1e-5)


def test_world_to_camera_is_the_files_own_once_the_world_is_turned(tmp_path: Path) -> None:
    view = read_calibration(write(tmp_path, PUBLISHED), Report())[0]
    y_up = studio.people(4)
    z_up = np.stack([y_up[..., 0], -y_up[..., 2], y_up[..., 1]], axis=-1)
    seen = world_to_camera(
        torch.from_numpy(z_up),
        torch.from_numpy(np.asarray(view.rotation)),
        torch.from_numpy(np.asarray(view.centre_mm)),
    )
    np.testing.assert_allclose(seen.numpy(), studio.seen(y_up, 0), rtol=0, atol=0.01)


def test_blank_and_header_lines_are_skipped_and_names_need_no_order(tmp_path: Path) -> None:
    block = PUBLISHED.split("\n", 1)[1]
    second = block.replace("name          0", "name  12").replace("\n", "\n\n")
    views = read_calibration(
        write(tmp_path, f"A header\n\nof two lines\n{second}\n{block}"), Report()
    )
    assert list(views) == [12, 0]


def test_all_fourteen_cameras_are_told_apart(tmp_path: Path) -> None:
    views = read_calibration(write(tmp_path, studio.calibration_text()), Report())
    assert list(views) == list(range(14))
    for camera, view in views.items():
        assert tuple(view.f_px) == studio.focal(camera)
        assert tuple(view.c_px) == studio.principal(camera)


def test_a_lens_coefficient_is_mentioned_and_not_used(tmp_path: Path) -> None:
    report = Report()
    text = PUBLISHED.replace("radial      0", "radial      0.02")
    view = read_calibration(write(tmp_path, text), report)[0]
    assert not view.radial.any()
    assert len(report.notes) == 1 and "camera 0 (0.02)" in report.notes[0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  radial      0\n", "", "camera 0: expected lines sensor, .*, got no radial"),
        ("  intrinsic   1497.693", "  intrinsic   ", "line 6: intrinsic: expected 16 numbers"),
        ("1497.693", "nan", "line 6: intrinsic: expected 16 numbers"),
        ("1497.693", "f", "line 6: intrinsic: expected 16 numbers, got 'f 0 1024.704"),
        ("1497.693", "-1497.693", "camera 0: intrinsic: expected fx 0 cx .*, got -1497.69"),
        ("1497.693 0", "1497.693 2", "camera 0: intrinsic: expected fx 0 cx"),
        ("size        2048 2048", "size        2048", "line 4: size: expected 2 numbers"),
        ("size        2048", "size        0", "camera 0: size: expected width and height"),
        ("animated    0", "animated    1", "camera 0: animated: expected 0"),
        ("0.9650164", "0.8650164", "camera 0: extrinsic: expected a rotation"),
        ("0 0 0 1 \n  radial", "0 0 0 2 \n  radial", "camera 0: extrinsic: expected a rotation"),
        ("name          0", "name          x", "line 2: expected the number of a new camera"),
        ("name          0", "name", "line 2: expected the number of a new camera, got ''"),
        ("  sensor ", "  zoom 1\n  sensor ", "line 3: expected one each of sensor, .*, got 'zoom'"),
        ("  radial      0\n", "  radial 0\n" * 2, "line 9: expected one each of .*, got 'radial'"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in PUBLISHED
    path = write(tmp_path, PUBLISHED.replace(old, new, 1))
    with pytest.raises(ImportFileError, match=f"camera.calibration': {message}.*get the file"):
        read_calibration(path, Report())


def test_a_mirrored_camera_is_refused(tmp_path: Path) -> None:
    mirrored = PUBLISHED.replace(
        "0.9650164 0.00488022 0.262144", "-0.9650164 -0.00488022 -0.262144"
    )
    with pytest.raises(ImportFileError, match="camera 0: extrinsic: expected a rotation"):
        read_calibration(write(tmp_path, mirrored), Report())


def test_the_same_camera_twice_is_refused(tmp_path: Path) -> None:
    twice = PUBLISHED + PUBLISHED.split("\n", 1)[1]
    with pytest.raises(ImportFileError, match="line 9: expected the number of a new camera"):
        read_calibration(write(tmp_path, twice), Report())


def test_files_without_cameras_and_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    for text in ("", "Skeletool Camera Calibration File V1.0\n", "something else"):
        with pytest.raises(ImportFileError, match="file: expected cameras, .*, got none"):
            read_calibration(write(tmp_path, text), Report())
    path = tmp_path / "camera.calibration"
    path.write_bytes(b"\xff\xfe\x00\x01" * 50)
    with pytest.raises(ImportFileError, match="expected a text file of cameras"):
        read_calibration(path, Report())


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    text = studio.calibration_text()
    # The last 1 % is the last camera's line 'radial' and more.
    with pytest.raises(ImportFileError, match="camera.calibration': "):
        read_calibration(write(tmp_path, text[: int(share * len(text))]), Report())


def pairs(noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    points = studio.seen(studio.people(30), 3)
    pixels = studio.projected(points, studio.focal(3), studio.principal(3))
    return pixels + noise * np.random.default_rng(1).standard_normal(pixels.shape), points


def test_the_fit_finds_the_camera() -> None:
    view, residual = fit_view("here", *pairs(), (2048, 2048), 2.0)
    np.testing.assert_allclose(view.f_px, studio.focal(3), rtol=0, atol=1e-6)
    np.testing.assert_allclose(view.c_px, studio.principal(3), rtol=0, atol=1e-6)
    assert residual < 1e-6
    assert view.rotation is None and view.centre_mm is None


def test_the_fit_agrees_with_the_least_squares_of_the_definition() -> None:
    pixels, points = pairs(noise=0.5)
    rays = points[..., :2] / points[..., 2:]
    view, residual = fit_view("here", pixels, points, (2048, 2048), 2.0)
    for axis in range(2):
        f, c = np.polyfit(rays[..., axis].ravel(), pixels[..., axis].ravel(), 1)
        assert view.f_px[axis] == pytest.approx(f, abs=1.0)
        assert view.c_px[axis] == pytest.approx(c, abs=1.0)
    assert 0.3 < residual < 0.9


def test_wrong_pairs_do_not_pull_the_fit() -> None:
    pixels, points = pairs(noise=0.2)
    pixels[::6] += 300
    view, residual = fit_view("here", pixels, points, (2048, 2048), 2.0)
    np.testing.assert_allclose(view.f_px, studio.focal(3), rtol=0, atol=1.0)
    np.testing.assert_allclose(view.c_px, studio.principal(3), rtol=0, atol=0.5)
    assert residual < 0.5


def test_pairs_that_no_camera_explains_are_refused() -> None:
    pixels, points = pairs()
    for wrong in (pixels[::-1], -pixels, pixels - 3000, np.zeros_like(pixels), pixels[..., ::-1]):
        with pytest.raises(ImportFileError, match="here: expected annot2 to be the projection"):
            fit_view("here", wrong, points, (2048, 2048), 2.0)


def test_too_few_pairs_are_refused() -> None:
    pixels, points = pairs()
    with pytest.raises(ImportFileError, match="here: expected whole poses .*, got none"):
        fit_view("here", pixels[:0], points[:0], (2048, 2048), 2.0)
    with pytest.raises(ImportFileError, match="here: expected whole poses .*, got points in one"):
        fit_view("here", pixels[:1, :1], points[:1, :1], (2048, 2048), 2.0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name          0", "name " + "9" * 5000, "expected the number of a new camera, got '99"),
        ("size        2048", "size 1e300", "size: expected 2 numbers, got '1e300 2048'"),
        ("intrinsic   1497.693", "intrinsic 1e308", "intrinsic: expected 16 numbers, got '1e308"),
        ("extrinsic   0.9650164", "extrinsic 1e308", "extrinsic: expected 16 numbers, got '1e308"),
        ("  radial      0\n", "  radial 0\nname 00\n", "the number of a new camera, got '00'"),
        ("Skeletool", "x" * 2**20, "one that can't be read .no file, or one of more than a megaby"),
    ],
)  # fmt: skip
def test_numbers_and_sizes_beyond_reason_are_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in PUBLISHED
    path = write(tmp_path, PUBLISHED.replace(old, new, 1))
    with pytest.raises(ImportFileError, match=message) as caught:
        read_calibration(path, Report())
    assert len(str(caught.value)) < 1000
