"""Recognise the layout of a file's joints by their names or by their number."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selflift.files.untrusted import ImportFileError
from selflift.skeleton import COCO_17, H36M_17, HALPE_26, SKELETONS, Skeleton, get_skeleton

# COCO's whole body (133) and Halpe's full body (136) begin with the body; feet beyond COCO's, face
# and hands follow.
BY_COUNT: Mapping[int, Skeleton] = {17: COCO_17, 26: HALPE_26, 133: COCO_17, 136: HALPE_26}
WHOLE_BODY = (133, 136)

_SYNONYMS = {
    "root": "pelvis", "hip": "pelvis", "midhip": "pelvis", "neckbase": "nose", "upperneck": "neck",
}  # fmt: skip
_OTHER_LEG = {"lhip": "rhip", "lknee": "rknee", "lfoot": "rfoot"}
_OTHER_LEG |= {right: left for left, right in _OTHER_LEG.items()}


@dataclass(frozen=True)
class Layout:
    """The layout of a file.

    Attributes:
        skeleton: The layout.
        count: Joints of a person in the file; those behind the skeleton's are left out.
        why: The reason for the choice, for the summary.
        note: A warning for the user, if there is one.
    """

    skeleton: Skeleton
    count: int
    why: str
    note: str | None = None

    def __str__(self) -> str:
        return f"{self.skeleton.name} ({self.why})"


def choose_layout(
    where: str,
    count: int,
    asked: str | None,
    names: Sequence[str] = (),
    known: Mapping[int, Skeleton] = BY_COUNT,
) -> Layout:
    """Choose by the user's option, else by the names in the file, else by the number of joints.

    Args:
        where: The file, for errors.
        count: Joints of a person.
        asked: The layout in the options.
        names: The joints' names in the file, if it has any.
        known: Layouts by their number of joints.

    Raises:
        ImportFileError: If none fits.
    """
    if asked is not None:
        skeleton = _asked(asked)
        if skeleton.num_joints != count:
            raise ImportFileError(
                f"{where}: expected {skeleton.num_joints} joints (keypoints.layout={asked}), got "
                f"{count}; name the layout of the file, or leave it out"
            )
        return Layout(skeleton, count, "keypoints.layout")
    if names:
        return _by_names(where, count, names)
    if count not in known:
        numbers = ", ".join(f"{n} ({s.name})" for n, s in known.items() if n == s.num_joints)
        raise ImportFileError(
            f"{where}: expected {numbers} joints a person, got {count}; name their layout in "
            "keypoints.layout"
        )
    return Layout(known[count], count, f"by its {count} joints", _cut_note(known[count], count))


def unambiguous(where: object, count: int) -> dict[int, Skeleton]:
    """Return the layouts that are recognised by their number of joints alone, by that number.

    Raises:
        ImportFileError: If several layouts have ``count`` joints.
    """
    # Only selflift adds hips; its files name their layout.
    fitting = [name for name in _of_size(count) if not name.endswith("_hip")]
    if len(fitting) > 1:
        raise ImportFileError(
            f"'{where}': expected a layout for {count} joints a person, which {', '.join(fitting)} "
            f"have, got none; name it, as in keypoints.layout={fitting[0]}"
        )
    own = {name: SKELETONS[name] for name in fitting}
    return {**{s.num_joints: s for s in own.values()}, **{n: BY_COUNT[n] for n in WHOLE_BODY}}


def place_by_names(where: str, names: Sequence[str], asked: str | None) -> tuple[Layout, list[int]]:
    """Choose the layout of joints that come by name or by number, in any order.

    Args:
        where: The file, for errors.
        names: The joints' names, or their numbers from 0 or 1.
        asked: The layout in the options; then some of its joints may be absent.

    Returns:
        The layout, and the joint of each name.

    Raises:
        ImportFileError: If none fits.
    """
    if all(name.isdecimal() and len(name) < 4 for name in names):
        numbers = sorted(map(int, names))
        first = numbers[0]
        if numbers != list(range(first, first + len(numbers))) or first > 1:
            raise ImportFileError(
                f"{where}: expected joints numbered from 0 or 1 without a gap, got "
                f"{', '.join(map(str, numbers[:6]))}..."
            )
        count = len(numbers)
        known = {} if asked else unambiguous(where.strip("'"), count)
        return choose_layout(where, count, asked, known=known), [int(n) - first for n in names]
    plain = [_plain(name) for name in names]
    if asked is not None:
        fitting = [_asked(asked)]
    else:
        fitting = [s for s in SKELETONS.values() if {_plain(j) for j in s.joints} == set(plain)]
    if not fitting:
        raise ImportFileError(
            f"{where}: expected the joints of a known layout, got {len(names)} joints named "
            f"{', '.join(names[:6])}{', ...' if len(names) > 6 else ''}; if some of a layout's "
            f"joints are absent, name it in keypoints.layout: {', '.join(SKELETONS)}"
        )
    own = [_plain(joint) for joint in fitting[0].joints]
    foreign = [name for name, word in zip(names, plain, strict=True) if word not in own]
    if foreign or len(set(plain)) < len(plain):
        twice = [name for name, word in zip(names, plain, strict=True) if plain.count(word) > 1]
        raise ImportFileError(
            f"{where}: expected joints of '{fitting[0].name}' ({', '.join(fitting[0].joints)}), "
            f"each once, got {', '.join((foreign or twice)[:6])}"
        )
    why = "the file's names" if asked is None else "keypoints.layout"
    return Layout(fitting[0], fitting[0].num_joints, why), [own.index(word) for word in plain]


def _asked(name: str) -> Skeleton:
    try:
        return get_skeleton(name)
    except ValueError as error:
        raise ImportFileError(f"keypoints.layout: {error}") from error


def _by_names(where: str, count: int, names: Sequence[str]) -> Layout:
    if len(names) != count:
        raise ImportFileError(
            f"{where}: expected a name for each of the {count} joints, got {len(names)}; the file "
            "contradicts itself: write it again, or name its layout in keypoints.layout"
        )
    plain = [_plain(name) for name in names]
    if count in WHOLE_BODY:
        plain = plain[: BY_COUNT[count].num_joints]
    for skeleton in SKELETONS.values():
        if plain == [_plain(joint) for joint in skeleton.joints]:
            return Layout(skeleton, count, "the file's names", _cut_note(skeleton, count))
    # MMPose's table for Human3.6M calls the first leg the left one; in its data, as in Human3.6M,
    # it is the right one (its arms are named correctly).
    if [_OTHER_LEG.get(name, name) for name in plain] == [_plain(j) for j in H36M_17.joints]:
        note = (
            "the file's names are MMPose's for Human3.6M, in which left and right legs are "
            "exchanged: its data have the right leg first, and are read so"
        )
        return Layout(H36M_17, count, "the file's names", note)
    raise ImportFileError(
        f"{where}: expected the joints of a known layout, got {count} joints named "
        f"{', '.join(names[:6])}{', ...' if count > 6 else ''}; if they are one under other names, "
        f"set keypoints.layout to one of {', '.join(_of_size(count)) or '(none has this number)'}"
    )


def _of_size(count: int) -> list[str]:
    return [s.name for s in SKELETONS.values() if s.num_joints == count]


def _plain(name: str) -> str:
    word = re.sub(r"[^a-z0-9]", "", name.lower())
    for side in ("left", "right"):
        word = re.sub(rf"^{side}", side[0], word)
    return _SYNONYMS.get(word, word)


def _cut_note(skeleton: Skeleton, count: int) -> str | None:
    if count == skeleton.num_joints:
        return None
    return f"of {count} joints the first {skeleton.num_joints} ({skeleton.name}) are kept"
