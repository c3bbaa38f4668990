"""Sources that number the two recordings of an action 1 and 2, whatever the recording's own number.

The data set's ``metadata.xml`` lists each subject's recordings of an action as subaction 1 and 2;
their own names may be ``Greeting 1`` and ``Greeting``, or ``Directions 1`` and ``Directions 2``.
The takes that skip lists name are known by both: h36m-fetch calls the damaged video of
``S11 Directions`` (11, 2, 2); MotionBERT leaves out ``s_09_act_05_subact_02``,
``s_09_act_10_subact_02`` and ``s_09_act_13_subact_01`` for ``S9 Greeting``, ``S9 SittingDown`` and
``S9 Waiting 1``.
"""

from __future__ import annotations

from collections.abc import Sequence

from selflift.files.untrusted import ImportFileError

_SECOND = ("S9 Greeting", "S9 SittingDown", "S11 Directions")


def by_subaction(skip: Sequence[str]) -> list[str]:
    """A skip list in which every clip bears the number of its subaction.

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
