"""Keypoint layout: the meaning of each joint and the bones between them.

:class:`Skeleton` holds the root that is subtracted, the head that fixes the scale, left and right,
and the bones that are drawn; geometry and networks see ``(..., J, 2)`` and ``(..., J, 3)`` only.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cached_property

# The head of a layout that has no joint to centre poses on.
NO_HEAD = -1
# A layout of two hundred joints takes ten thousand characters.
LONGEST_TEXT, LONGEST_REASON = 2**16, 300


@dataclass(frozen=True)
class Skeleton:
    """A keypoint layout.

    Attributes:
        name: The layout's identifier, e.g. ``"h36m_17"``.
        joints: Joint names in order, ``J`` of them.
        parents: Parent index of each joint; ``-1`` marks the root.
        left: Indices of the left joints; ``left[i]`` mirrors ``right[i]``.
        right: Indices of the right joints.
        head: The joint whose distance to the root fixes the 2D scale; ``-1`` if the root is not
            the middle of the hips, on which poses are centred: such a layout can be stored, drawn
            and converted, but not trained on.
        legs: ``(hip, knee, ankle)`` of the left and of the right leg; the anatomy that tells a
            body from its mirror image. Empty if the layout has no legs.
        parts: The anatomical part that each joint is, by the names in
            :data:`selflift.skeleton.conversion.PARTS`; the joints' own names if empty. Conversion
            between layouts goes by these.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    head: int
    legs: tuple[tuple[int, int, int], ...] = ()
    # Not compared: a file written before a part got its name holds the same layout.
    parts: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if len(self.parents) != len(self.joints):
            raise ValueError(
                f"skeleton '{self.name}': expected one parent per joint ({len(self.joints)}), "
                f"got {len(self.parents)}; give -1 for the root"
            )
        if list(self.parents).count(-1) != 1:
            raise ValueError(
                f"skeleton '{self.name}': expected exactly one root (parent -1), got "
                f"{list(self.parents).count(-1)}; name one root"
            )
        if self.parts and len(self.parts) != len(self.joints):
            raise ValueError(
                f"skeleton '{self.name}': expected one part per joint ({len(self.joints)}) or "
                f"none, got {len(self.parts)}; name each joint's part"
            )
        named = [*self.left, *self.right, *(j for leg in self.legs for j in leg)]
        if self.head != NO_HEAD:
            named.append(self.head)
        if not all(0 <= joint < len(self.joints) for joint in named):
            raise ValueError(
                f"skeleton '{self.name}': expected left, right, head and legs between 0 and "
                f"{len(self.joints) - 1}, got {min(named)} to {max(named)}; check the indices"
            )
        for joint, parent in enumerate(self.parents):
            if not -1 <= parent < len(self.joints) or not self._reaches_root(joint):
                raise ValueError(
                    f"skeleton '{self.name}': expected parents that lead to the root, got "
                    f"{parent} for joint {joint} ('{self.joints[joint]}'); check the indices"
                )
        if len(self.left) != len(self.right):
            raise ValueError(
                f"skeleton '{self.name}': expected as many left as right joints, got "
                f"{len(self.left)} and {len(self.right)}; list them in pairs"
            )

    def _reaches_root(self, joint: int) -> bool:
        for _ in self.joints:
            if self.parents[joint] == -1:
                return True
            joint = self.parents[joint]
            if not 0 <= joint < len(self.joints):
                return False
        return False

    def to_json(self) -> str:
        """The layout as JSON text, as files carry it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Skeleton:
        """The layout of :meth:`to_json`.

        Raises:
            ValueError: If the text is no such layout.
        """
        if len(text) > LONGEST_TEXT:
            raise ValueError(
                f"skeleton: expected JSON of at most {LONGEST_TEXT} characters, got {len(text)}; "
                "the file is corrupt, or not of this format"
            )
        try:
            table = json.loads(text)
            return cls(
                name=str(table["name"]),
                joints=tuple(str(joint) for joint in table["joints"]),
                parents=tuple(int(parent) for parent in table["parents"]),
                left=tuple(int(joint) for joint in table["left"]),
                right=tuple(int(joint) for joint in table["right"]),
                head=int(table["head"]),
                legs=tuple((int(h), int(k), int(a)) for h, k, a in table["legs"]),
                parts=tuple(str(part) for part in table.get("parts", ())),
            )
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            reason = str(error)
            # The class's own errors already name the layout and the fault.
            plain = len(reason) < LONGEST_REASON and reason.isprintable()
            if plain and reason.startswith("skeleton '"):
                raise
            raise ValueError(
                "skeleton: expected JSON with name, joints, parents, left, right, head and legs, "
                f"got text without a valid {ascii(reason[:LONGEST_REASON])[1:-1]}"
            ) from error

    @property
    def trainable(self) -> bool:
        """True if the layout has a root to centre poses on and a head to scale them by."""
        return self.head != NO_HEAD

    @property
    def num_joints(self) -> int:
        """``J``."""
        return len(self.joints)

    @cached_property
    def root(self) -> int:
        """The joint without a parent, which poses are centred on."""
        return self.parents.index(-1)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """``(parent, child)`` of every bone, in joint order."""
        return tuple((p, j) for j, p in enumerate(self.parents) if p >= 0)

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """The joint order after swapping left and right: ``pose[..., mirror, :]``."""
        order = list(range(self.num_joints))
        for a, b in zip(self.left, self.right, strict=True):
            order[a], order[b] = b, a
        return tuple(order)

    def index(self, joint: str) -> int:
        """Index of a joint by name.

        Raises:
            ValueError: If the layout has no such joint.
        """
        if joint not in self.joints:
            raise ValueError(
                f"skeleton '{self.name}': expected one of {', '.join(self.joints)}, got '{joint}'"
            )
        return self.joints.index(joint)
