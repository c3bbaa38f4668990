"""Which poses, joints and means a number is of: the protocols that the field evaluates by.

A protocol restricts a pose set in this order: subjects, cameras, takes that are left out, every
n-th frame, moving frames. It names the metric that leads and the way of averaging.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from selflift.data.pose_set import PoseSet
from selflift.data.streams import streams
from selflift.evaluate.catalogue import METRICS
from selflift.evaluate.published import H36M_FLIP, H36M_MPJPE, H36M_PA, MPI_INF_3DHP, Published
from selflift.evaluate.selection import moving, skipped, suffixes, thinned
from selflift.formats.h36m.h36m_cameras import CAMERAS
from selflift.formats.h36m.h36m_protocol import BAD_TAKE, TEST_SUBJECTS
from selflift.formats.mpi_inf_3dhp.annotations import TEST_SEQUENCES
from selflift.skeleton import Skeleton

AVERAGING = ("actions", "frames")
# Layouts that have one of them only mean the same joint by it.
_SAME_JOINT = {"Neck": "Thorax", "Thorax": "Neck"}


@dataclass(frozen=True)
class Protocol:
    """How a set is evaluated.

    Attributes:
        name: What it is called.
        about: What it is, in one line.
        subjects: The subjects that must be there and are scored; empty: all.
        cameras: The cameras, by the part of their name after the last ``/``; empty: all.
        every: Step through the recording's frames: of every window of so many, the first that is
            there.
        skip: Takes that are left out: ``"S9 Greeting"``, or ``"S11 Directions.54138969"`` for one
            camera of it.
        joints: Parts (:data:`selflift.skeleton.PARTS`) that are scored; empty: all joints.
        moving_mm: Keep a frame only when a joint has moved at least this far, in the camera's
            frame, since the last frame that was kept; ``None``: keep all.
        headline: Key of the metric that leads, in :data:`selflift.evaluate.catalogue.METRICS`.
        shown: Keys of the metrics that tables show, the headline among them.
        averaging: ``"actions"``: the mean over the poses of each action, then over actions;
            ``"frames"``: over all poses.
        published: Numbers from the literature to list beside one's own.
    """

    name: str
    about: str
    subjects: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    every: int = 1
    skip: tuple[str, ...] = ()
    joints: tuple[str, ...] = ()
    moving_mm: float | None = None
    headline: str = "pa_mpjpe_mm"
    shown: tuple[str, ...] = (
        "pa_mpjpe_mm", "pa_mpjpe_reflected_mm", "n_mpjpe_mm", "mpjpe_mm", "flat_pa_mpjpe_mm",
    )  # fmt: skip
    averaging: str = "actions"
    published: tuple[Published, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        unknown = [key for key in (self.headline, *self.shown) if key not in METRICS]
        if unknown:
            raise ValueError(
                f"protocol '{self.name}': expected metrics of {', '.join(METRICS)}, got "
                f"{', '.join(unknown)}"
            )
        if self.headline not in self.shown or METRICS[self.headline].oracle:
            raise ValueError(
                f"protocol '{self.name}': expected a headline that is shown and no oracle, got "
                f"{self.headline}; name another of {', '.join(self.shown)}"
            )
        if self.averaging not in AVERAGING:
            raise ValueError(
                f"protocol '{self.name}': expected averaging of {', '.join(AVERAGING)}, got "
                f"'{self.averaging}'"
            )
        if self.every < 1:
            raise ValueError(
                f"protocol '{self.name}': expected every to be at least 1, got {self.every}"
            )
        if self.moving_mm is not None and not 0 < self.moving_mm < float("inf"):
            raise ValueError(
                f"protocol '{self.name}': expected moving_mm above 0, got {self.moving_mm}; None "
                "keeps all frames"
            )

    def numbers_beside(self, metric: str) -> tuple[list[Published], list[Published]]:
        """The published numbers that are comparable with ours of this metric, and all the others.

        Args:
            metric: A key of the catalogue.
        """
        same = [n for n in self.published if n.metric == metric and n.comparable(self.name)]
        return same, [number for number in self.published if number not in same]


_PCK = ("pck150", "auc", "n_pck150", "n_auc", "pa_mpjpe_mm")
_ELEPOSE = ("pa_mpjpe_reflected_mm", "n_mpjpe_norm_mm", "pa_mpjpe_mm", "n_mpjpe_mm")
# The importers leave out that take, too: its video is damaged.
_h36m = partial(Protocol, subjects=TEST_SUBJECTS, cameras=tuple(CAMERAS), skip=(BAD_TAKE,))
_MPI_JOINTS = (
    "HeadTop", "Neck", "LShoulder", "RShoulder", "LElbow", "RElbow", "LWrist", "RWrist",
    "LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle",
)  # fmt: skip

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("plain", "all poses of the set, all joints"),
        _h36m(
            name="h36m-p1",
            about="Human3.6M protocol 1: S9 and S11, four cameras, all frames at 50 Hz, all 17 "
            "joints with the zero root; MPJPE after subtracting the root, its millimetres from an "
            "assumed height, which no supervised method needs",
            headline="mpjpe_mm",
            shown=("mpjpe_mm", "n_mpjpe_mm", "pa_mpjpe_mm", "mpjve_mm"),
            published=H36M_MPJPE,
        ),
        # The alignment of VideoPose3D, PoseTriplet and Yu et al. 2021.
        _h36m(
            name="h36m-p2",
            about="Human3.6M protocol 2: S9 and S11, four cameras, all frames at 50 Hz, all 17 "
            "joints; after a similarity transform without reflection",
            published=H36M_PA,
        ),
        # bastianwandt/ElePose, train.py: pmpjpe(reflection='best') and the ratio of norms about
        # joint 0, means over all test poses.
        _h36m(
            name="h36m-elepose",
            about="Human3.6M as ElePose reports it: S9 and S11, mean over frames, 17 joints; "
            "reflections allowed in PA-MPJPE, N-MPJPE by the ratio of norms",
            headline="pa_mpjpe_reflected_mm",
            shown=_ELEPOSE,
            averaging="frames",
            published=H36M_PA,
        ),
        # The code that made LInKs' test file is not public. 40 mm is the rule that h36m-fetch
        # (process_all.py) has for the training subjects, in the same words: an assumption.
        _h36m(
            name="h36m-links",
            about="Human3.6M as LInKs reports it: as ElePose, of moving frames only; the "
            "threshold (a joint moved 40 mm since the last kept frame) is assumed from h36m-fetch",
            moving_mm=40.0,
            headline="pa_mpjpe_reflected_mm",
            shown=_ELEPOSE,
            averaging="frames",
            published=H36M_PA,
        ),
        # facebookresearch/c3dpo_nrsfm, dataset/eval_zoo.py. Its list of poses is not derived
        # there; every 5th frame comes near the 109,556 that it asserts.
        _h36m(
            name="h36m-c3dpo",
            about="Human3.6M near C3DPO's: S9 and S11, every 5th frame (C3DPO has 109,556 poses); "
            "C3DPO's own number, the better of pose and depth flip, is an oracle's and not the "
            "headline",
            every=5,
            headline="n_mpjpe_mm",
            shown=("n_mpjpe_mm", "mpjpe_flip_mm", "mpjpe_mm", "pa_mpjpe_mm"),
            published=H36M_FLIP,
        ),
        # The joint groups of mpii_get_pck_auc_joint_groups.m, its 'Head' being the top of the head.
        Protocol(
            name="3dhp",
            about="MPI-INF-3DHP: TS1 to TS6, valid frames, the 14 joints of the benchmark's "
            "groups relative to the pelvis, mean over frames; for sets converted with "
            "annotation=metric (annot3)",
            subjects=tuple(TEST_SEQUENCES),
            joints=_MPI_JOINTS,
            headline="pck150",
            shown=_PCK,
            averaging="frames",
            published=MPI_INF_3DHP,
        ),
        Protocol(
            name="3dhp-universal",
            about="MPI-INF-3DHP as most PyTorch code has it: TS1 to TS6, valid frames, all 17 "
            "joints with the zero root, mean over frames; for sets converted with "
            "annotation=universal (univ_annot3)",
            subjects=tuple(TEST_SEQUENCES),
            headline="pck150",
            shown=_PCK,
            averaging="frames",
            published=MPI_INF_3DHP,
        ),
        Protocol(
            name="cmu17",
            about="the test subjects of cmu17, all poses, all 17 joints",
            subjects=("CMU002", "CMU003", "CMU006", "CMU010", "CMU014", "CMU016", "CMU055"),
        ),
    )
}


def get_protocol(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        ValueError: If there is none.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"protocol: expected one of {', '.join(PROTOCOLS)}, got '{name}'")
    return PROTOCOLS[name]


def joint_indices(protocol: Protocol, skeleton: Skeleton) -> list[int]:
    """The joints that a protocol scores, in the order of the layout.

    Subtract the root before taking them: it need not be among them.

    Raises:
        ValueError: If the layout lacks one of the protocol's parts.
    """
    if not protocol.joints:
        return list(range(skeleton.num_joints))
    parts = skeleton.parts or skeleton.joints
    wanted = [part if part in parts else _SAME_JOINT.get(part, part) for part in protocol.joints]
    if missing := [part for part in wanted if part not in parts]:
        raise ValueError(
            f"protocol '{protocol.name}': expected a layout with {', '.join(protocol.joints)}, got "
            f"'{skeleton.name}' without {', '.join(missing)}; convert the poses or take another "
            "protocol"
        )
    return sorted(parts.index(part) for part in wanted)


def select(poses: PoseSet, protocol: Protocol) -> PoseSet:
    """The poses that a protocol scores, in the set's order; see :func:`rows_of`."""
    return poses.select(rows_of(poses, protocol))


def rows_of(poses: PoseSet, protocol: Protocol) -> np.ndarray:
    """Which poses of a set a protocol scores, ``(N,)`` bool.

    Args:
        poses: The set.
        protocol: The protocol.

    Raises:
        ValueError: If the set lacks one of its subjects or cameras, has no 3D poses for the rule
            of moving frames, or nothing is left.
    """
    kept = np.ones(len(poses), bool)
    camera = suffixes(poses.camera)
    for what, labels, wanted in (
        ("subjects", poses.subject, protocol.subjects),
        ("cameras", camera, protocol.cameras),
    ):
        if wanted:
            there = sorted({labels.names[i] for i in np.unique(labels.index[kept])})
            if set(wanted) - set(there):
                raise ValueError(
                    f"protocol '{protocol.name}': expected the {what} {', '.join(wanted)}, got a "
                    f"set of {', '.join(there) or 'none'}; evaluate on a set that has them, or "
                    "take another protocol"
                )
            kept &= np.isin(np.array(labels.names, dtype=object), wanted)[labels.index]
    if protocol.skip:
        kept &= ~skipped(poses.clip, camera, protocol.skip)
    if protocol.every > 1:
        rows = np.flatnonzero(kept)
        kept[rows] = thinned(streams(poses, rows), poses.frame[rows], protocol.every)
    if protocol.moving_mm is not None:
        if poses.poses_3d is None:
            raise ValueError(
                f"protocol '{protocol.name}': expected 3D poses (poses_3d), which tell the moving "
                "frames, got a set of 2D poses alone; take another protocol"
            )
        rows = np.flatnonzero(kept)
        kept[rows] = moving(
            streams(poses, rows), poses.frame[rows], poses.poses_3d[rows], protocol.moving_mm
        )
    if not kept.any():
        raise ValueError(
            f"protocol '{protocol.name}': expected at least one pose to score, got none of "
            f"{len(poses)}; check the set and the takes that are left out"
        )
    return kept
