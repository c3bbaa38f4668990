"""Tables of the named layouts.

A layout is a line of ``joint<parent`` words, the joint that is its head, and the anatomical part of
every joint that is not named after it. To add one of your own::

    from selflift.skeleton import make_skeleton, register

    register(make_skeleton(
        "lab_9",
        "MidHip LHip<MidHip LKnee<LHip LAnkle<LKnee RHip<MidHip RKnee<RHip RAnkle<RKnee "
        "Neck<MidHip Crown<Neck",
        head="Crown",
        parts={"MidHip": "Pelvis", "Crown": "HeadTop"},
    ))

Every command and function that takes the name of a layout then accepts it.
"""

from __future__ import annotations

from collections.abc import Mapping

from selflift.skeleton.layout import NO_HEAD, Skeleton

HIP = "Hip"


def make_skeleton(
    name: str, tree: str, head: str | None = None, parts: Mapping[str, str] | None = None
) -> Skeleton:
    """Build a layout from its table.

    Joints whose names differ only in a leading ``L`` and ``R`` (or ``l`` and ``r``) are a pair; the
    legs are the joints whose parts are hips, knees and ankles.

    Args:
        name: The layout's identifier.
        tree: The joints in order, separated by blanks: ``joint<parent``, and the root alone.
        head: The joint whose distance to the root fixes the 2D scale; ``None`` for a layout whose
            root is not the middle of the hips, see :class:`Skeleton`.
        parts: The anatomical part of the joints that are not named after it.

    Raises:
        ValueError: If a parent, the head or a joint in ``parts`` is none of the joints.
    """
    words = [word.partition("<") for word in tree.split()]
    joints = tuple(joint for joint, _, _ in words)
    index = {joint: i for i, joint in enumerate(joints)}
    named = {
        *(parent for _, _, parent in words if parent),
        *(parts or {}),
        *([head] if head else []),
    }
    unknown = sorted(named - set(joints))
    if unknown:
        raise ValueError(
            f"skeleton '{name}': expected parents, head and parts of its joints "
            f"{', '.join(joints)}, got {', '.join(unknown)}"
        )
    pairs = [
        (index[joint], index[other])
        for joint in joints
        if joint[0] in "Ll" and (other := {"L": "R", "l": "r"}[joint[0]] + joint[1:]) in index
    ]
    part_of = tuple((parts or {}).get(joint, joint) for joint in joints)
    legs = [
        tuple(part_of.index(f"{side}{part}") for part in ("Hip", "Knee", "Ankle"))
        for side in "LR"
        if {f"{side}Hip", f"{side}Knee", f"{side}Ankle"} <= set(part_of)
    ]
    return Skeleton(
        name=name,
        joints=joints,
        parents=tuple(index[parent] if parent else -1 for _, _, parent in words),
        left=tuple(left for left, _ in pairs),
        right=tuple(right for _, right in pairs),
        head=NO_HEAD if head is None else index[head],
        legs=tuple((hip, knee, ankle) for hip, knee, ankle in legs) if len(legs) == 2 else (),
        parts=part_of,
    )


def with_hip(skeleton: Skeleton, head: str) -> Skeleton:
    """The layout with a root joint in the middle of the hips, so that it can be trained on.

    Args:
        skeleton: A layout without pelvis.
        head: The joint whose distance to the new root fixes the 2D scale.

    Returns:
        The layout ``<name>_hip``: the same joints in the same order, then ``Hip``.
    """
    hip = skeleton.num_joints
    hips = {j for j, part in enumerate(skeleton.parts) if part in ("LHip", "RHip")}
    parents = [hip if p == -1 or j in hips else p for j, p in enumerate(skeleton.parents)]
    return Skeleton(
        name=f"{skeleton.name}_hip",
        joints=(*skeleton.joints, HIP),
        parents=(*parents, -1),
        left=skeleton.left,
        right=skeleton.right,
        head=skeleton.index(head),
        legs=skeleton.legs,
        parts=(*skeleton.parts, "Pelvis"),
    )


SKELETONS: dict[str, Skeleton] = {}


def register(skeleton: Skeleton) -> Skeleton:
    """Make a layout known by its name; the same name registered again is replaced."""
    SKELETONS[skeleton.name] = skeleton
    return skeleton


def get_skeleton(name: str) -> Skeleton:
    """The registered layout of that name.

    Raises:
        ValueError: If no layout has this name.
    """
    if name not in SKELETONS:
        raise ValueError(
            f"skeleton: expected one of {', '.join(sorted(SKELETONS))}, got '{name}'; "
            "add it with selflift.skeleton.register"
        )
    return SKELETONS[name]


# The 17 of Human3.6M's 32 joints that the field evaluates. "Nose" is its Neck/Nose.
H36M_17 = register(make_skeleton(
    "h36m_17",
    "Hip RHip<Hip RKnee<RHip RFoot<RKnee LHip<Hip LKnee<LHip LFoot<LKnee Spine<Hip Thorax<Spine "
    "Nose<Thorax Head<Nose LShoulder<Thorax LElbow<LShoulder LWrist<LElbow RShoulder<Thorax "
    "RElbow<RShoulder RWrist<RElbow",
    head="Head",
    parts={"Hip": "Pelvis", "RFoot": "RAnkle", "LFoot": "LAnkle", "Head": "HeadTop"},
))  # fmt: skip

# Human3.6M as recorded. Those without an anatomy of their own (sites, doubled joints) keep the
# names of the recording.
H36M_32 = register(make_skeleton(
    "h36m_32",
    "Hip RHip<Hip RKnee<RHip RFoot<RKnee RToeBase<RFoot RToeSite<RToeBase "
    "LHip<Hip LKnee<LHip LFoot<LKnee LToeBase<LFoot LToeSite<LToeBase "
    "SpineBase<Hip Spine<SpineBase Thorax<Spine Nose<Thorax Head<Nose "
    "LCollar<Spine LShoulder<LCollar LElbow<LShoulder LWrist<LElbow LThumbBase<LWrist "
    "LThumbSite<LThumbBase LHandEnd<LWrist LHandSite<LHandEnd "
    "RCollar<Spine RShoulder<RCollar RElbow<RShoulder RWrist<RElbow RThumbBase<RWrist "
    "RThumbSite<RThumbBase RHandEnd<RWrist RHandSite<RHandEnd",
    head="Head",
    parts={"Hip": "Pelvis", "RFoot": "RAnkle", "LFoot": "LAnkle", "Head": "HeadTop"},
))  # fmt: skip

# Fourteen landmarks, as in LSP and in Human3.6M's 14-joint evaluations: the paper says that it uses
# 14, its secondary sources don't say which. Without a pelvis; paper_14_hip adds it.
PAPER_14 = register(make_skeleton(
    "paper_14",
    "RAnkle<RKnee RKnee<RHip RHip<Neck LHip<Neck LKnee<LHip LAnkle<LKnee "
    "RWrist<RElbow RElbow<RShoulder RShoulder<Neck LShoulder<Neck LElbow<LShoulder LWrist<LElbow "
    "Neck Head<Neck",
    parts={"Head": "HeadTop"},
))  # fmt: skip
PAPER_14_HIP = register(with_hip(PAPER_14, head="Head"))

COCO_17 = register(make_skeleton(
    "coco_17",
    "Nose LEye<Nose REye<Nose LEar<LEye REar<REye LShoulder<Nose RShoulder<Nose "
    "LElbow<LShoulder RElbow<RShoulder LWrist<LElbow RWrist<RElbow LHip<LShoulder RHip<RShoulder "
    "LKnee<LHip RKnee<RHip LAnkle<LKnee RAnkle<RKnee",
))  # fmt: skip
COCO_17_HIP = register(with_hip(COCO_17, head="Nose"))

OPENPOSE_COCO_18 = register(make_skeleton(
    "openpose_coco_18",
    "Nose<Neck Neck RShoulder<Neck RElbow<RShoulder RWrist<RElbow LShoulder<Neck LElbow<LShoulder "
    "LWrist<LElbow RHip<Neck RKnee<RHip RAnkle<RKnee LHip<Neck LKnee<LHip LAnkle<LKnee "
    "REye<Nose LEye<Nose REar<REye LEar<LEye",
))  # fmt: skip
OPENPOSE_COCO_18_HIP = register(with_hip(OPENPOSE_COCO_18, head="Nose"))

OPENPOSE_BODY_25 = register(make_skeleton(
    "openpose_body_25",
    "Nose<Neck Neck<MidHip RShoulder<Neck RElbow<RShoulder RWrist<RElbow LShoulder<Neck "
    "LElbow<LShoulder LWrist<LElbow MidHip RHip<MidHip RKnee<RHip RAnkle<RKnee LHip<MidHip "
    "LKnee<LHip LAnkle<LKnee REye<Nose LEye<Nose REar<REye LEar<LEye "
    "LBigToe<LAnkle LSmallToe<LBigToe LHeel<LAnkle RBigToe<RAnkle RSmallToe<RBigToe RHeel<RAnkle",
    head="Nose",
    parts={"MidHip": "Pelvis"},
))  # fmt: skip

HALPE_26 = register(make_skeleton(
    "halpe_26",
    "Nose<Neck LEye<Nose REye<Nose LEar<LEye REar<REye LShoulder<Neck RShoulder<Neck "
    "LElbow<LShoulder RElbow<RShoulder LWrist<LElbow RWrist<RElbow LHip<Hip RHip<Hip LKnee<LHip "
    "RKnee<RHip LAnkle<LKnee RAnkle<RKnee Head<Nose Neck<Hip Hip LBigToe<LAnkle RBigToe<RAnkle "
    "LSmallToe<LBigToe RSmallToe<RBigToe LHeel<LAnkle RHeel<RAnkle",
    head="Head",
    parts={"Head": "HeadTop", "Hip": "Pelvis"},
))  # fmt: skip

MPII_16 = register(make_skeleton(
    "mpii_16",
    "RAnkle<RKnee RKnee<RHip RHip<Pelvis LHip<Pelvis LKnee<LHip LAnkle<LKnee Pelvis Thorax<Pelvis "
    "Neck<Thorax HeadTop<Neck RWrist<RElbow RElbow<RShoulder RShoulder<Thorax LShoulder<Thorax "
    "LElbow<LShoulder LWrist<LElbow",
    head="HeadTop",
))  # fmt: skip

# A stacked hourglass fine-tuned on Human3.6M keeps MPII's order, but its joints 7 to 9 are
# Human3.6M's Spine, Thorax and Head; there is no Nose.
H36M_SH_16 = register(make_skeleton(
    "h36m_sh_16",
    "RFoot<RKnee RKnee<RHip RHip<Hip LHip<Hip LKnee<LHip LFoot<LKnee Hip Spine<Hip Thorax<Spine "
    "Head<Thorax RWrist<RElbow RElbow<RShoulder RShoulder<Thorax LShoulder<Thorax "
    "LElbow<LShoulder LWrist<LElbow",
    head="Head",
    parts={"Hip": "Pelvis", "RFoot": "RAnkle", "LFoot": "LAnkle", "Head": "HeadTop"},
))  # fmt: skip

# MPI-INF-3DHP's training annotations. "Spine" is the one that its 17-joint test layout keeps.
MPI_INF_3DHP_28 = register(make_skeleton(
    "mpi_inf_3dhp_28",
    "Spine3<Spine2 Spine4<Spine3 Spine2<Spine Spine<Pelvis Pelvis Neck<Spine4 Head<Neck "
    "HeadTop<Head LClavicle<Neck LShoulder<LClavicle LElbow<LShoulder LWrist<LElbow LHand<LWrist "
    "RClavicle<Neck RShoulder<RClavicle RElbow<RShoulder RWrist<RElbow RHand<RWrist LHip<Pelvis "
    "LKnee<LHip LAnkle<LKnee LFoot<LAnkle LToe<LFoot RHip<Pelvis RKnee<RHip RAnkle<RKnee "
    "RFoot<RAnkle RToe<RFoot",
    head="HeadTop",
))  # fmt: skip

# MPI-INF-3DHP's test annotations.
MPI_INF_3DHP_17 = register(make_skeleton(
    "mpi_inf_3dhp_17",
    "HeadTop<Head Neck<Spine RShoulder<Neck RElbow<RShoulder RWrist<RElbow LShoulder<Neck "
    "LElbow<LShoulder LWrist<LElbow RHip<Pelvis RKnee<RHip RAnkle<RKnee LHip<Pelvis LKnee<LHip "
    "LAnkle<LKnee Pelvis Spine<Pelvis Head<Neck",
    head="HeadTop",
))  # fmt: skip

# The CMU database's own skeleton (ASF): a joint bears the name of the bone that *ends* in it.
CMU_31 = register(make_skeleton(
    "cmu_31",
    "root lhipjoint<root lfemur<lhipjoint ltibia<lfemur lfoot<ltibia ltoes<lfoot "
    "rhipjoint<root rfemur<rhipjoint rtibia<rfemur rfoot<rtibia rtoes<rfoot "
    "lowerback<root upperback<lowerback thorax<upperback lowerneck<thorax upperneck<lowerneck "
    "head<upperneck lclavicle<thorax lhumerus<lclavicle lradius<lhumerus lwrist<lradius "
    "lhand<lwrist lfingers<lhand lthumb<lwrist rclavicle<thorax rhumerus<rclavicle "
    "rradius<rhumerus rwrist<rradius rhand<rwrist rfingers<rhand rthumb<rwrist",
    head="head",
    parts={
        "lhipjoint": "LHip", "lfemur": "LKnee", "ltibia": "LAnkle", "lfoot": "LFoot",
        "rhipjoint": "RHip", "rfemur": "RKnee", "rtibia": "RAnkle", "rfoot": "RFoot",
        "lowerback": "Spine", "thorax": "Thorax", "upperneck": "Nose", "head": "HeadTop",
        "lclavicle": "LShoulder", "lhumerus": "LElbow", "lradius": "LWrist",
        "rclavicle": "RShoulder", "rhumerus": "RElbow", "rradius": "RWrist",
    },
))  # fmt: skip
