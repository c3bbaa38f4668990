"""Bone names to parts of the body."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selflift.files.untrusted import ImportFileError
from selflift.formats.mocap.acclaim import CMU_LENGTH
from selflift.formats.mocap.motion_files import MotionFile
from selflift.formats.mocap.rigs import ASF_RIGS, BVH_RIGS, find_body
from selflift.formats.mocap.world_motion import MotionSource, open_sources
from selflift.skeleton import H36M_17

from .bvh_files import human_joints, random_bvh, renamed, write_bvh

FILE = Path("a.bvh")
# Joints of public files, trunk and left side; the right side has the same names.
PUBLIC = {
    "cgspeed, MotionBuilder names": (
        "Hips LHipJoint RHipJoint LowerBack Spine Spine1 Neck Neck1 Head Head/End LeftUpLeg "
        "LeftLeg LeftFoot LeftToeBase LeftShoulder LeftArm LeftForeArm LeftHand LThumb",
        "Spine Neck Head Head/End LeftUpLeg LeftLeg LeftFoot LeftArm LeftForeArm LeftHand",
    ),
    "cgspeed, 3ds Max names": (
        "Hips LHipJoint RHipJoint lowerback Chest Chest2 lowerneck Neck Head Head/End LeftHip "
        "LeftKnee LeftAnkle LeftToe LeftCollar LeftShoulder LeftElbow LeftWrist lhand LThumb",
        "Chest lowerneck Head Head/End LeftHip LeftKnee LeftAnkle LeftShoulder LeftElbow LeftWrist",
    ),
    "cgspeed, DAZ names": (
        "hip abdomen chest neck head leftEye leftEye/End rightEye lButtock lThigh lShin lFoot "
        "lCollar lShldr lForeArm lHand lThumb1",
        "chest neck head None lThigh lShin lFoot lShldr lForeArm lHand",
    ),
    "Poser or DAZ": (
        "hip abdomen chest neck head head/End lThigh lShin lFoot lCollar lShldr lForeArm lHand",
        "chest neck head head/End lThigh lShin lFoot lShldr lForeArm lHand",
    ),
    "CMU's own names": (
        "root lhipjoint lfemur ltibia lfoot ltoes lowerback upperback thorax lowerneck upperneck "
        "head head/End lclavicle lhumerus lradius lwrist lhand",
        "upperback lowerneck head head/End lfemur ltibia lfoot lhumerus lradius lwrist",
    ),
    "Mixamo": (
        "mixamorig:Hips mixamorig:Spine mixamorig:Spine1 mixamorig:Spine2 mixamorig:Neck "
        "mixamorig:Head mixamorig:HeadTop_End mixamorig:LeftShoulder mixamorig:LeftArm "
        "mixamorig:LeftForeArm mixamorig:LeftHand mixamorig:LeftUpLeg mixamorig:LeftLeg "
        "mixamorig:LeftFoot mixamorig:LeftToeBase",
        "mixamorig:Spine1 mixamorig:Neck mixamorig:Head mixamorig:HeadTop_End mixamorig:LeftUpLeg "
        "mixamorig:LeftLeg mixamorig:LeftFoot mixamorig:LeftArm mixamorig:LeftForeArm "
        "mixamorig:LeftHand",
    ),
    "LAFAN1": (
        "Hips Spine Spine1 Spine2 Neck Head LeftShoulder LeftArm LeftForeArm LeftHand LeftUpLeg "
        "LeftLeg LeftFoot LeftToe",
        "Spine2 Neck None Head LeftUpLeg LeftLeg LeftFoot LeftArm LeftForeArm LeftHand",
    ),
    "Bandai Namco": (
        "joint_Root Hips Spine Chest Neck Head Shoulder_L UpperArm_L LowerArm_L Hand_L UpperLeg_L "
        "LowerLeg_L Foot_L Toes_L",
        "Spine Neck None Head UpperLeg_L LowerLeg_L Foot_L UpperArm_L LowerArm_L Hand_L",
    ),
    "Biovision": (
        "Hips LeftHip LeftKnee LeftAnkle Chest Neck Head Head/End LeftCollar LeftShoulder "
        "LeftElbow LeftWrist",
        "Chest Neck Head Head/End LeftHip LeftKnee LeftAnkle LeftShoulder LeftElbow LeftWrist",
    ),
    "Biovision, long spine": (
        "Hips LeftHip LeftKnee LeftAnkle Chest Chest2 Chest3 Neck Head Head/End LeftCollar "
        "LeftShoulder LeftElbow LeftWrist",
        "Chest2 Neck Head Head/End LeftHip LeftKnee LeftAnkle LeftShoulder LeftElbow LeftWrist",
    ),
}  # fmt: skip
PARTS = [
    "Spine", "Thorax", "Nose", "HeadTop", "LHip", "LKnee", "LAnkle", "LShoulder", "LElbow",
    "LWrist",
]  # fmt: skip


def right(name: str) -> str:
    for left, other in (("Left", "Right"), ("_L", "_R")):
        if left in name:
            return name.replace(left, other)
    return f"r{name[1:]}" if name[0] == "l" and name != "lowerback" else name


def both(words: str) -> dict[str, int]:
    left = words.split()
    mirrored = [right(name) for name in left if name not in ("lowerback", "lowerneck")]
    return {name: i for i, name in enumerate(dict.fromkeys([*left, *mirrored]))}


@pytest.mark.parametrize("rig", PUBLIC)
def test_public_rigs_are_recognised_and_their_joints_found(rig: str) -> None:
    joints, expected = PUBLIC[rig]
    points = both(joints)
    bones = find_body(FILE, points, BVH_RIGS, {})
    assert bones.rig == rig
    found = bones.index
    for part, name in zip(PARTS, expected.split(), strict=True):
        assert found.get(part) == points.get(name), part
        if part.startswith("L"):
            assert found[f"R{part[1:]}"] == points[right(name)], part


@pytest.mark.parametrize("prefix", ["", "mixamorig", "mixamorig5:", "Character1:", "a:b:"])
def test_name_spaces_and_case_do_not_matter(prefix: str) -> None:
    names, _ = PUBLIC["LAFAN1"]
    points = {prefix + name.upper(): i for name, i in both(names).items()}
    assert find_body(FILE, points, BVH_RIGS, {}).rig == "LAFAN1"


def test_hips_are_the_middle_of_the_hip_joints_and_guesses_are_told() -> None:
    bones = find_body(FILE, both(PUBLIC["LAFAN1"][0]), BVH_RIGS, {})
    points = np.random.default_rng(0).normal(size=(3, 40, 3))
    X = bones.to_h36m(points)
    at = bones.index
    hips = (points[:, at["LHip"]] + points[:, at["RHip"]]) / 2
    np.testing.assert_allclose(X[:, H36M_17.index("Hip")], hips, atol=1e-15)
    nose = (points[:, at["Thorax"]] + points[:, at["HeadTop"]]) / 2
    np.testing.assert_allclose(X[:, H36M_17.index("Nose")], nose, atol=1e-15)
    assert bones.guessed == {"Nose": "Thorax and HeadTop"}


def test_asf_bones_are_taken_for_their_ends() -> None:
    (rig,) = ASF_RIGS
    points = {name: i for i, name in enumerate(["root", *rig.parts.values()])}
    bones = find_body(Path("a.asf"), points, ASF_RIGS, {})
    found = bones.index
    pairs = {"LHip": "lhipjoint", "LAnkle": "ltibia", "Spine": "lowerback", "Thorax": "thorax",
             "Nose": "upperneck", "HeadTop": "head", "RShoulder": "rclavicle",
             "RWrist": "rradius"}  # fmt: skip
    assert {part: points[name] for part, name in pairs.items()}.items() <= found.items()


def test_an_unknown_rig_names_its_bones_what_is_missing_and_the_option() -> None:
    points = {"Hips": 0, "Tail": 1}
    with pytest.raises(ImportFileError) as caught:
        find_body(FILE, points, BVH_RIGS, {})
    message = str(caught.value)
    assert "expected bones of a known rig (cgspeed, MotionBuilder names, " in message
    assert "got Hips, Tail; name those that are Pelvis, RHip, RKnee" in message
    assert "for example 'mocap.bones={Hips: Pelvis}'" in message


def test_bones_of_the_users_own_make_a_rig() -> None:
    own = {f"b{i}": part for i, part in enumerate(H36M_17.parts)}
    points = {name: i for i, name in enumerate(["root", *own])}
    bones = find_body(FILE, points, BVH_RIGS, own)
    assert bones.rig == "mocap.bones" and tuple(bones.index.values()) == tuple(range(1, 18))
    del own["b7"], own["b0"]
    bones = find_body(FILE, points, BVH_RIGS, own)
    assert set(bones.guessed) == {"Spine"}
    assert set(bones.guessed["Spine"].split(" and ")) == {"LHip", "RHip", "Thorax"}
    del own["b2"], own["b12"]
    with pytest.raises(ImportFileError, match="name those that are RKnee, LElbow, for example"):
        find_body(FILE, points, BVH_RIGS, own)


def test_bones_of_the_users_own_come_before_a_known_rigs() -> None:
    points = both(PUBLIC["LAFAN1"][0])
    bones = find_body(FILE, points, BVH_RIGS, {"Spine1": "Spine"})
    found = bones.index
    assert found["Spine"] == points["Spine1"] and bones.rig == "LAFAN1, mocap.bones"


@pytest.mark.parametrize("own", [{"Spine1": "Waist"}, {"Waist": "Spine"}])
def test_wrong_words_in_the_option_are_refused(own: dict) -> None:
    name, part = next(iter(own.items()))
    with pytest.raises(ImportFileError, match=f"mocap.bones: expected .* got '{name}: {part}'"):
        find_body(FILE, both(PUBLIC["LAFAN1"][0]), BVH_RIGS, own)


def source_of(tmp_path: Path, thorax: float, names: dict[str, str] | None = None) -> MotionSource:
    joints = renamed(human_joints(thorax), names or {})
    path = write_bvh(tmp_path / "02_01.bvh", joints, random_bvh(joints, 2))
    (source,) = open_sources([MotionFile(path, "02_01", "02", None)], {})
    return source


MAX_NAMES = {
    "LowerBack": "lowerback", "Spine": "Chest", "Spine1": "Chest2", "Neck": "lowerneck",
    "Neck1": "Neck",
    **{f"{side}{a}": f"{side}{b}" for side in ("Left", "Right") for a, b in (
        ("UpLeg", "Hip"), ("Leg", "Knee"), ("Foot", "Ankle"), ("Shoulder", "Collar"),
        ("Arm", "Shoulder"), ("ForeArm", "Elbow"), ("Hand", "Wrist"))},
}  # fmt: skip


@pytest.mark.parametrize("names", [{}, MAX_NAMES], ids=["MotionBuilder", "3ds Max"])
@pytest.mark.parametrize(("thorax", "lost"), [(0.0, True), (2.07, False)])
def test_cgspeeds_lost_thorax_is_noticed(
    tmp_path: Path, names: dict, thorax: float, lost: bool
) -> None:
    source = source_of(tmp_path, thorax, names)
    assert source.body.rig.startswith("cgspeed")
    assert source.lost_thorax is lost
    assert source.length == CMU_LENGTH and source.fps == 120


def test_zero_offsets_of_other_rigs_are_no_lost_thorax(tmp_path: Path) -> None:
    source = source_of(
        tmp_path, 0.0, {"LowerBack": "Spine0", "LHipJoint": "a", "RHipJoint": "b", "Spine": "Spine",
                        "Neck1": "Spine2", "LeftFoot": "LeftFoot", "RightShoulder": "LeftToe"}
    )  # fmt: skip
    assert source.body.rig == "LAFAN1"
    assert not source.lost_thorax
