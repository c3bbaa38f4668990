"""The typed schema of ``python -m selflift.prepare``: one group of options per kind of source."""

from __future__ import annotations

from dataclasses import dataclass, field

from selflift.config.data_schema import RigConfig


@dataclass
class H36MOptions:
    """Human3.6M.

    Attributes:
        keypoints: VideoPose3D's layout: its file of detected 2D, ``data_2d_h36m_*.npz``; ``None``
            projects the 3D poses instead ("ground-truth 2D").
        lens: Whether the cameras' lens distortion is modelled, in projecting and in the calibration
            that the output carries; the model is OpenCV's.
        stand_in: VideoPose3D's layout, with subjects that are not Human3.6M's: the subject whose
            four calibrated cameras film them; ``None`` refuses such files.
        joints: 17, or all 32 of the recording.
        subjects: Which ones; all that are there, if empty.
        skip: Takes that are left out: ``"S9 Greeting"`` (all cameras) or
            ``"S11 Directions.54138969"``. h36m-fetch and MotionBERT number the recordings of an
            action by subaction: there the usual takes are translated, others need their number.
        split: MotionBERT's file: ``"train"`` (2D only) or ``"test"``.
    """

    keypoints: str | None = None
    lens: bool = True
    stand_in: str | None = "S1"
    joints: int = 17
    subjects: list[str] = field(default_factory=list)
    skip: list[str] = field(default_factory=lambda: ["S11 Directions.54138969"])
    split: str = "test"


@dataclass
class MPIInf3DHPOptions:
    """MPI-INF-3DHP.

    Attributes:
        annotation: ``"universal"`` (``univ_annot3``, bodies scaled to one height, what papers
            evaluate on; it doesn't project to the 2D) or ``"metric"`` (``annot3``, which does).
        cameras: Cameras of the training set; the default leaves out the ceiling's and the floor's.
        subjects: ``S1`` ... or ``TS1`` ...; all that are there, if empty.
        sequences: Sequences of the training set, 1 and 2.
        valid_only: Whether test frames that ``valid_frame`` rules out are dropped.
        head_order: What becomes Nose (9) and Head (10): ``"natural"`` head and head top, or
            ``"swapped"``, as in some public code.
    """

    annotation: str = "universal"
    cameras: list[int] = field(default_factory=lambda: [0, 1, 2, 4, 5, 6, 7, 8])
    subjects: list[str] = field(default_factory=list)
    sequences: list[int] = field(default_factory=lambda: [1, 2])
    valid_only: bool = True
    head_order: str = "natural"


@dataclass
class MocapOptions:
    """Motion capture files.

    Attributes:
        unit: Of the file: ``"m"``, ``"cm"``, ``"mm"``, ``"inch"``, ``"cmu"`` (0.056444 m) or
            ``"auto"``: the one that makes the body as tall as a person.
        up: The file's vertical axis: ``"y"``, ``"z"`` or ``"auto"``.
        fps: Rate to resample to; ``None`` keeps the file's.
        source_fps: Rate of the recording, where the files lie or (AMC) don't say.
        asf: Skeleton of the AMC files; ``None`` looks beside them.
        drop_t_pose: Whether a T-pose that a converter put before the motion is left out.
        subject: Who moves, in all files; ``None`` takes the subject from each file's name (``02``
            of ``02_01``) or folder.
        actions: Text file with a line ``clip action`` per clip; without it, the action is
            ``"unknown"``.
        bones: Bone names of your own to anatomical parts, ``mocap.bones={hip_l: LHip}``: a BVH
            joint is where its bone begins, ``Head/End`` the end site of ``Head``; an ASF bone is
            its end.
    """

    unit: str = "auto"
    up: str = "auto"
    fps: float | None = 50.0
    source_fps: float | None = None
    asf: str | None = None
    drop_t_pose: bool = True
    subject: str | None = None
    actions: str | None = None
    bones: dict[str, str] | None = None


@dataclass
class KeypointOptions:
    """Files of 2D keypoints.

    Attributes:
        layout: Their layout, e.g. ``"h36m_17"``; ``None`` recognises it by the names or the number
            of joints.
        people: Of several people in a frame, ``"best"``: the one of the highest score;
            ``"track"``: each person, followed from frame to frame, becomes a clip of its own,
            ``VIDEO/person1``; ``"all"``: everybody, where the clip ``VIDEO/person2`` has the second
            by score of every frame. ``None``: ``"all"`` for COCO's images, ``"best"`` for videos.
        min_confidence: Joints below it are marked missing.
        min_frames: Tracks (``people="track"``) shorter than this are left out.
        fps: Rate of the video.
        size_px: Width and height of the images, if known; some files have it themselves.
        f_px: Focal length, if known; with the images' size it makes a camera, whose principal point
            is the middle of the image.
        subject: Name of the person or the people.
        action: What they do.
    """

    layout: str | None = None
    people: str | None = None
    min_confidence: float = 0.0
    min_frames: int = 1
    fps: float = 30.0
    size_px: list[int] | None = None
    f_px: float | None = None
    subject: str = "unknown"
    action: str = "unknown"


@dataclass
class PrepareConfig:
    """Everything that defines a conversion.

    Attributes:
        source: Name of the format; ``None`` recognises it from the files.
        input: File or folder to read.
        output: The pose set to write (HDF5).
        overwrite: Whether an output that is already there is replaced.
        skeleton: Layout to convert to; ``None`` keeps the source's.
        every: Keep every n-th frame of the source's rate; where frames are missing, the first of
            every n.
        complete: Whether frames with a missing joint are left out; lifters without
            ``confidences`` take complete poses only.
        picture: Whether to draw sample poses beside the output.
        progress: Whether to show a progress bar.
        h36m: Human3.6M.
        mpi_inf_3dhp: MPI-INF-3DHP.
        mocap: Motion capture files.
        rig: The virtual cameras that film motion capture.
        keypoints: Files of 2D keypoints.
    """

    source: str | None = None
    input: str = "???"
    output: str = "???"
    overwrite: bool = False
    skeleton: str | None = None
    every: int = 1
    complete: bool = False
    picture: bool = True
    progress: bool = True
    h36m: H36MOptions = field(default_factory=H36MOptions)
    mpi_inf_3dhp: MPIInf3DHPOptions = field(default_factory=MPIInf3DHPOptions)
    mocap: MocapOptions = field(default_factory=MocapOptions)
    rig: RigConfig = field(default_factory=RigConfig)
    keypoints: KeypointOptions = field(default_factory=KeypointOptions)
