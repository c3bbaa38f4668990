"""Protocols that the field evaluates by: the poses, joints and means that a number is of.

A protocol restricts a pose set (:mod:`selflift.evaluate.selection`) and names the metric that
leads and the way of averaging.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from selflift.evaluate.catalogue import METRICS
from selflift.evaluate.published import Published, published
from selflift.formats.h36m.h36m_cameras import CAMERAS
from selflift.formats.h36m.h36m_protocol import BAD_TAKE, TEST_SUBJECTS
from selflift.formats.mpi_inf_3dhp.annotations import TEST_SEQUENCES

AVERAGING = ("actions", "frames")


@dataclass(frozen=True)
class Protocol:
    """Rules for evaluating a set.

    Attributes:
        name: Its name.
        about: A description in one line.
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
            published=published("h36m-mpjpe"),
        ),
        # The alignment of VideoPose3D, PoseTriplet and Yu et al. 2021.
        _h36m(
            name="h36m-p2",
            about="Human3.6M protocol 2: S9 and S11, four cameras, all frames at 50 Hz, all 17 "
            "joints; after a similarity transform without reflection",
            published=published("h36m-pa"),
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
            published=published("h36m-pa"),
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
            published=published("h36m-pa"),
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
            published=published("h36m-flip"),
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
            published=published("3dhp"),
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
            published=published("3dhp"),
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
