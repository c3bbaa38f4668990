"""Acclaim files: skeletons, motion, and where the bones lie."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from selflift.files.untrusted import ImportFileError
from selflift.formats.mocap.acclaim import AcclaimSkeleton, read_amc, read_asf

from .acclaim_files import Bone, cmu_bones, place_asf, random_amc, write_amc, write_asf


def values_of(path: Path, skeleton: AcclaimSkeleton) -> np.ndarray:
    return np.concatenate(list(read_amc(path, skeleton)))


def odd_bones() -> list[Bone]:
    """Every order of dof and axes, children before their parents, and a bone that can't move."""
    rng = np.random.default_rng(3)
    orders = list(itertools.permutations("xyz"))
    bones = [Bone("stiff", "root", (0.0, 1.0, 0.0), 2.0, (10.0, 20.0, 30.0), "ZXY", ())]
    for i, (dof, axis) in enumerate(zip(orders, orders[::-1], strict=True)):
        direction = rng.normal(size=3)
        bones.append(
            Bone(
                f"bone{i}", "stiff" if i == 0 else f"bone{(i - 1) // 2}",
                tuple((direction / np.linalg.norm(direction)).tolist()), 1.0 + i,
                tuple(rng.uniform(-180, 180, 3).tolist()), "".join(axis).upper(),
                tuple(f"r{a}" for a in dof)[: 1 + i % 3],
            )
        )  # fmt: skip
    return bones


@pytest.fixture
def bones() -> list[Bone]:
    return cmu_bones()


@pytest.mark.parametrize("angle", ["deg", "rad"])
@pytest.mark.parametrize("eol", ["\n", "\r\n", "\r\r\n"])
def test_bones_lie_where_a_loop_over_frames_and_bones_puts_them(
    tmp_path: Path, angle: str, eol: str
) -> None:
    bones = odd_bones()
    frames = random_amc(bones, 9, seed=4)
    skeleton = read_asf(write_asf(tmp_path / "a.asf", bones[::-1], angle=angle, eol=eol))
    amc = write_amc(tmp_path / "a_1.amc", frames, eol=eol)
    X = skeleton.place(values_of(amc, skeleton))
    expected = place_asf(bones, frames)
    assert set(skeleton.points) == set(expected)
    for name, index in skeleton.points.items():
        np.testing.assert_allclose(X[:, index], expected[name], atol=1e-10, err_msg=name)


@pytest.mark.parametrize("header", [(":RADIANS",), (":FULLY-SPECIFIED", ":RADIANS"), ()])
def test_motion_may_be_in_radians(tmp_path: Path, bones: list[Bone], header: tuple) -> None:
    frames = random_amc(bones, 4)
    turns = [
        {
            name: v[:3] + np.radians(v[3:]).tolist() if name == "root" else np.radians(v).tolist()
            for name, v in frame.items()
        }
        for frame in frames
    ]
    # Without a word of its own, a motion has the skeleton's angles.
    skeleton = read_asf(write_asf(tmp_path / "a.asf", bones, angle="deg" if header else "rad"))
    X = skeleton.place(values_of(write_amc(tmp_path / "a.amc", turns, header), skeleton))
    expected = place_asf(bones, frames)
    np.testing.assert_allclose(X[:, skeleton.points["lradius"]], expected["lradius"], atol=1e-9)


def test_the_roots_channels_may_come_in_any_order(tmp_path: Path, bones: list[Bone]) -> None:
    plain = random_amc(bones, 3)
    swapped = [frame | {"root": [frame["root"][i] for i in (3, 2, 0, 4, 1, 5)]} for frame in plain]
    order = ("RX", "TZ", "TX", "RY", "TY", "RZ")
    skeleton = read_asf(write_asf(tmp_path / "a.asf", bones, root=order))
    X = skeleton.place(values_of(write_amc(tmp_path / "a.amc", swapped), skeleton))
    np.testing.assert_allclose(
        X[:, skeleton.points["head"]], place_asf(bones, plain)["head"], atol=1e-10
    )


def test_the_roots_position_shifts_everything(tmp_path: Path, bones: list[Bone]) -> None:
    frames = random_amc(bones, 2)
    skeleton = read_asf(write_asf(tmp_path / "a.asf", bones, position=(1, -2, 3)))
    X = skeleton.place(values_of(write_amc(tmp_path / "a.amc", frames), skeleton))
    expected = place_asf(bones, frames)["rfoot"] + [1, -2, 3]
    np.testing.assert_allclose(X[:, skeleton.points["rfoot"]], expected, atol=1e-10)


def test_frames_may_begin_at_any_number_and_list_bones_in_any_order(
    tmp_path: Path, bones: list[Bone]
) -> None:
    frames = random_amc(bones, 5)
    skeleton = read_asf(write_asf(tmp_path / "a.asf", bones))
    shuffled = [dict(sorted(f.items(), reverse=bool(i % 2))) for i, f in enumerate(frames)]
    a = values_of(write_amc(tmp_path / "a.amc", frames), skeleton)
    b = values_of(write_amc(tmp_path / "b.amc", shuffled, first=117), skeleton)
    np.testing.assert_array_equal(a, b)


def test_the_unit_of_length_is_kept(tmp_path: Path, bones: list[Bone]) -> None:
    assert read_asf(write_asf(tmp_path / "a.asf", bones, length=0.3937)).length == 0.3937


ASF_MISTAKES = {
    "no bones": (":bonedata", ":bones", "expected an Acclaim skeleton .* with :bonedata, got"),
    "no number": ("length 7.6 ", "length long ", r"a.asf', line \d+: expected a number as length"),
    "nan": ("direction 0.0 1.0 -0.05", "direction 0.0 nan -0.05", "expected 3 numbers as directio"),
    "too few": ("axis 0.0 0.0 20.0", "axis 0.0 20.0", "expected 3 numbers as axis"),
    "axis order": ("0.0 0.0 20.0   XYZ", "0.0 0.0 20.0   XYX", "an axis order such as XYZ"),
    "dof": ("dof rx ry rz", "dof rx ry l", "degrees of freedom rx ry rz, each at most once"),
    "dof twice": ("dof rx ry rz", "dof rx ry rx", "each at most once, got 'rx ry rx'"),
    "angle": ("angle deg", "angle grad", "expected angle deg or rad, got 'grad'"),
    "unit": ("length 0.45", "length 0", "expected a length unit above 0"),
    "orientation": ("orientation 0 0 0", "orientation 0 90 0", "root's orientation 0 0 0, got"),
    "order": ("order TX TY TZ RX RY RZ", "ordre TX", "expected an order under :root"),
    "parent": ("lhipjoint lfemur", "lhipjoint femur", "expected bones of :bonedata, got 'femur'"),
    "lost": ("    lfemur ltibia\n", "", "got ltibia, lfoot without a parent"),
    "twice": ("lfemur ltibia", "lfemur ltibia rtibia", "one parent of 'rtibia', got several"),
    "name": ("name lfoot", "name ltibia", "expected one bone 'ltibia', got a second"),
    "nameless": ("name lfoot", "nom lfoot", "got one without name; download"),
    "begin": ("begin\n     id 3 ", "start\n     id 3 ", "expected 'begin', got 'start'"),
}


@pytest.mark.parametrize("mistake", ASF_MISTAKES)
def test_a_wrong_skeleton_is_refused_in_one_line(
    tmp_path: Path, bones: list[Bone], mistake: str
) -> None:
    old, new, message = ASF_MISTAKES[mistake]
    path = write_asf(tmp_path / "a.asf", bones)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ImportFileError, match=message) as caught:
        read_asf(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.97])
def test_a_truncated_skeleton_is_refused(tmp_path: Path, bones: list[Bone], share: float) -> None:
    path = write_asf(tmp_path / "a.asf", bones)
    text = path.read_text()
    path.write_text(text[: int(share * len(text))])
    with pytest.raises(ImportFileError, match="a.asf'"):
        read_asf(path)


def test_a_missing_or_binary_skeleton_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match="nothing.asf': expected a file that can be read"):
        read_asf(tmp_path / "nothing.asf")
    (tmp_path / "b.asf").write_bytes(bytes(100))
    with pytest.raises(ImportFileError, match="b.asf', line 1: expected text, got a binary file"):
        read_asf(tmp_path / "b.asf")


AMC_MISTAKES = {
    "value lost": (3, "ltibia", "ltibia\n", "expected a number as the motion of 'ltibia', got ''"),
    "value more": (
        3,
        "ltibia",
        "ltibia 1 2\n",
        "expected a number as the motion of 'ltibia', got '1 2'",
    ),
    "no number": (
        3,
        "ltibia",
        "ltibia 1,5\n",
        "expected a number as the motion of 'ltibia', got '1,5'",
    ),
    "foreign": (3, "ltibia", "tail 1.5\n", "expected bones that move in '.*a.asf', got 'tail'"),
    "nan": (
        3,
        "ltibia",
        "ltibia nan\n",
        "expected a number as the motion of 'ltibia', got 'nan'; fix",
    ),
    "bone lost": (3, "ltibia", "", "every bone that moves in frame 3, got none of ltibia"),
    "twice": (3, "ltibia", "ltibia 1\nltibia 1\n", "expected 'ltibia' once in a frame"),
    "frame lost": (4, "4", "5\n", "expected frame 4, got 5; frames are missing"),
}


@pytest.mark.parametrize("mistake", AMC_MISTAKES)
def test_wrong_motion_is_refused_in_one_line(
    tmp_path: Path, bones: list[Bone], mistake: str
) -> None:
    frame, name, new, message = AMC_MISTAKES[mistake]
    skeleton = read_asf(write_asf(tmp_path / "a.asf", bones))
    path = write_amc(tmp_path / "a_1.amc", random_amc(bones, 6))
    lines = path.read_text().splitlines(keepends=True)
    start = lines.index(f"{frame}\n")
    at = next(i for i in range(start, len(lines)) if lines[i].split()[0] == name)
    lines[at] = new
    path.write_text("".join(lines))
    with pytest.raises(ImportFileError, match=message) as caught:
        values_of(path, skeleton)
    assert "\n" not in str(caught.value)
    if mistake != "bone lost":
        line = at + 1 + (mistake == "twice")
        assert str(caught.value).startswith(f"mocap '{path}', line {line}: ")


def test_truncated_empty_and_foreign_motion_is_refused(tmp_path: Path, bones: list[Bone]) -> None:
    skeleton = read_asf(write_asf(tmp_path / "a.asf", bones))
    path = write_amc(tmp_path / "a_1.amc", random_amc(bones, 6))
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-3]))
    with pytest.raises(ImportFileError, match="bone that moves in frame 6, got none of rclavicle"):
        values_of(path, skeleton)
    path.write_text("".join(lines[:3]))
    with pytest.raises(ImportFileError, match="of at least one frame, got none"):
        values_of(path, skeleton)
    path.write_text("HIERARCHY\nROOT Hips\n")
    with pytest.raises(ImportFileError, match="line 1: expected the number of the first frame"):
        values_of(path, skeleton)
    with pytest.raises(ImportFileError, match="no.amc': expected a file that can be read"):
        values_of(tmp_path / "no.amc", skeleton)
