"""Named keypoint layouts and the conversion between them."""

from selflift.skeleton.conversion import PARTS, Converted, convert, derived_joints
from selflift.skeleton.layout import NO_HEAD, Skeleton
from selflift.skeleton.layout_tables import (
    CMU_31,
    COCO_17,
    COCO_17_HIP,
    H36M_17,
    H36M_32,
    H36M_SH_16,
    HALPE_26,
    MPI_INF_3DHP_17,
    MPI_INF_3DHP_28,
    MPII_16,
    OPENPOSE_BODY_25,
    OPENPOSE_COCO_18,
    OPENPOSE_COCO_18_HIP,
    PAPER_14,
    PAPER_14_HIP,
    SKELETONS,
    get_skeleton,
    make_skeleton,
    register,
    with_hip,
)

__all__ = [
    "CMU_31", "COCO_17", "COCO_17_HIP", "H36M_17", "H36M_32", "H36M_SH_16", "HALPE_26",
    "MPII_16", "MPI_INF_3DHP_17", "MPI_INF_3DHP_28", "NO_HEAD", "OPENPOSE_BODY_25",
    "OPENPOSE_COCO_18", "OPENPOSE_COCO_18_HIP", "PAPER_14", "PAPER_14_HIP", "PARTS", "SKELETONS",
    "Converted", "Skeleton", "convert", "derived_joints", "get_skeleton", "make_skeleton",
    "register", "with_hip",
]  # fmt: skip
