"""What the field agrees on about Human3.6M: splits, action names, takes that are left out."""

from __future__ import annotations

FPS = 50.0
TRAIN_SUBJECTS = ("S1", "S5", "S6", "S7", "S8")
TEST_SUBJECTS = ("S9", "S11")

# By their number in the archives' metadata, which starts at 2 (1 is "all").
ACTIONS = (
    "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases", "Sitting",
    "SittingDown", "Smoking", "Photo", "Waiting", "Walking", "WalkDog", "WalkTogether",
)  # fmt: skip
FIRST_ACTION_NUMBER = 2
# The archives' files have the first two, the action names of their metadata (h36m-fetch) all three.
_OTHER_NAMES = {
    "TakingPhoto": "Photo", "WalkingDog": "WalkDog", "WalkingTogether": "WalkTogether",
}  # fmt: skip

# Its video is damaged, so nobody has detections for it; VideoPose3D leaves out all four cameras.
BAD_TAKE = "S11 Directions.54138969"
# The truth drifts in these; MotionBERT and MMPose leave them out, most others keep them.
DRIFTING_TAKES = ("S9 Greeting", "S9 SittingDown", "S9 Waiting 1")


def action_of(recording: str) -> str:
    """The action of a recording, ``"TakingPhoto 1"`` to ``"Photo"``.

    Raises:
        ValueError: If it is none of the fifteen.
    """
    word = recording.split(" ")[0].split(".")[0]
    action = _OTHER_NAMES.get(word, word)
    if action not in ACTIONS:
        raise ValueError(
            f"Human3.6M: expected an action of {', '.join(ACTIONS)}, got '{recording}'"
        )
    return action


def clip_name(subject: str, recording: str) -> str:
    """``"S1 Photo 1"`` for the recording ``"TakingPhoto 1"`` of S1."""
    word, _, number = recording.partition(" ")
    return f"{subject} {_OTHER_NAMES.get(word, word)}{f' {number}' if number else ''}"


def drifts(clip: str) -> bool:
    """Whether it may be one of :data:`DRIFTING_TAKES`: sources number recordings differently."""
    return clip.split(" ")[:2] in [take.split(" ")[:2] for take in DRIFTING_TAKES]


def is_skipped(clip: str, camera: str, skip: tuple[str, ...] | list[str]) -> bool:
    """Whether a take is on a skip list of ``"S9 Greeting"`` or ``"S11 Directions.54138969"``."""
    return clip in skip or f"{clip}.{camera}" in skip
