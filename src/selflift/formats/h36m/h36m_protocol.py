"""Conventions of Human3.6M: splits, names of recordings, and takes that are left out.

Some sources number the two recordings of an action 1 and 2, the *subaction* of the data set's
``metadata.xml``, whatever the recording's own name: ``Greeting 1`` and ``Greeting``, or
``Directions 1`` and ``Directions 2``. The takes of the usual skip lists are known by both:
h36m-fetch calls the corrupt video of ``S11 Directions`` (11, 2, 2); MotionBERT leaves out
``s_09_act_05_subact_02``, ``s_09_act_10_subact_02`` and ``s_09_act_13_subact_01`` for
``S9 Greeting``, ``S9 SittingDown`` and ``S9 Waiting 1``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selflift.files.untrusted import ImportFileError

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

# Its video is corrupt, so nobody has detections for it; VideoPose3D leaves out all four cameras.
BAD_TAKE = "S11 Directions.54138969"
# The truth drifts in these; MotionBERT and MMPose leave them out, most others keep them.
DRIFTING_TAKES = ("S9 Greeting", "S9 SittingDown", "S9 Waiting 1")
# Takes of skip lists without a number that are subaction 2.
_SECOND = ("S9 Greeting", "S9 SittingDown", "S11 Directions")


@dataclass(frozen=True)
class Recording:
    """A recording of one person, seen by the four cameras.

    Attributes:
        subject: The person, ``"S1"``.
        action: ``"Photo"``.
        clip: Unique name, ``"S1 Photo 1"``.
        owner: The subject for whom the cameras are calibrated; empty if unknown.
    """

    subject: str
    action: str
    clip: str
    owner: str = ""

    @classmethod
    def of(cls, subject: str, name: str) -> Recording:
        """Human3.6M's recording ``"TakingPhoto 1"`` of a subject.

        Raises:
            ValueError: If the action is none of the fifteen.
        """
        _, _, number = name.partition(" ")
        action = action_of(name)
        return cls(subject, action, f"{subject} {action}{number and f' {number}'}", subject)


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


def drifts(clip: str) -> bool:
    """Compare with :data:`DRIFTING_TAKES` but for the number: sources number differently."""
    return clip.split(" ")[:2] in [take.split(" ")[:2] for take in DRIFTING_TAKES]


def is_skipped(clip: str, camera: str, skip: Sequence[str]) -> bool:
    """Look up a take on a skip list of ``"S9 Greeting"`` or ``"S11 Directions.54138969"``."""
    return clip in skip or f"{clip}.{camera}" in skip


def by_subaction(skip: Sequence[str]) -> list[str]:
    """Translate a skip list to the numbers of subactions.

    Args:
        skip: ``"S9 Greeting"``, ``"S11 Directions.54138969"``, ``"S1 Walking 2"`` (which names
            subaction 2).

    Raises:
        ImportFileError: If it names a recording without a number whose subaction is not known.
    """
    out = []
    for entry in skip:
        clip, dot, camera = entry.partition(".")
        if clip in _SECOND:
            clip += " 2"
        elif not clip.rpartition(" ")[2].isdigit():
            raise ImportFileError(
                f"h36m.skip: expected '{clip} 1' or '{clip} 2', since this source numbers an "
                f"action's recordings 1 and 2, got '{entry}'"
            )
        out.append(clip + dot + camera)
    return out
