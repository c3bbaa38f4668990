"""Numbers from the literature, each with the alignment and the protocol under which it was got.

A number may stand beside one's own only where both were measured the same way. Many sources don't
say whether their alignment admits reflections, or which frames they score: such numbers are listed,
for they are what readers look for, but as not comparable.
"""

from __future__ import annotations

from dataclasses import dataclass

GROUND_TRUTH, DETECTED, NOT_STATED = "GT", "detected", "unstated"

GRADES: dict[str, str] = {
    "code": "the authors' public code reports it",
    "agreed": "in the abstract or in two independent restatements",
    "single": "in one good secondary source",
    "recalled": "from memory, not confirmed",
    "ungraded": "at second hand, not graded",
}
# Of a number whose source doesn't say which variant it is.
NO_VARIANT = "alignment not stated"


@dataclass(frozen=True)
class Published:
    """A number from the literature.

    Attributes:
        method: Who, and which setting.
        value: The number, in the metric's unit.
        metric: Key of :data:`selflift.evaluate.catalogue.METRICS`; the nearest one if ``protocol``
            is ``None``.
        input: The 2D it was lifted from: ``"GT"``, ``"detected"`` or ``"unstated"``.
        grade: How well the number is attested, one of :data:`GRADES`.
        protocol: The protocol it was measured under; ``None`` if its alignment is not known or
            none of the protocols has it, so that it is comparable with nothing.
        note: What the reader has to know beside it.
    """

    method: str
    value: float
    metric: str
    input: str
    grade: str
    protocol: str | None
    note: str = ""

    def comparable(self, protocol: str) -> bool:
        """Whether numbers of this metric under that protocol may stand beside it."""
        return self.protocol == protocol


def _pa(
    method: str,
    truth: float | None,
    detected: float | None,
    protocol: str | None,
    note: str = "",
    grade: str = "ungraded",
    metric: str = "pa_mpjpe_mm",
) -> tuple[Published, ...]:
    given = ((truth, GROUND_TRUTH), (detected, DETECTED))
    return tuple(
        Published(method, value, metric, source, grade, protocol, note)
        for value, source in given
        if value is not None
    )


_OWN = "Chen 2019"
_REFLECTED = "pa_mpjpe_reflected_mm"

H36M_PA: tuple[Published, ...] = (
    *_pa(
        f"{_OWN}, base", 58.0, None, None, f"self-consistency and adversary; {NO_VARIANT}",
        "recalled",
    ),
    *_pa(
        f"{_OWN}, full", 51.0, None, None, f"with domain adapter and temporal loss; {NO_VARIANT}",
        "agreed",
    ),
    *_pa(_OWN, None, 68.0, None, NO_VARIANT, "agreed"),
    *_pa(f"{_OWN} by Yu 2021", 46.0, 54.9, "h36m-p2", "re-run of the method"),
    *_pa("Drover 2018", 38.2, 64.6, None, f"{NO_VARIANT}; 2D poses made from 3D data"),
    *_pa("Yu 2021", 42.0, 52.3, "h36m-p2", "checkpoint chosen on the test set"),
    *_pa("PoseTriplet 2022", 45.1, 51.8, "h36m-p2", "video"),
    *_pa("ElePose 2022", 36.7, 50.2, "h36m-elepose", "reflection allowed", metric=_REFLECTED),
    *_pa(
        "LInKs 2023", 33.8, None, "h36m-links",
        "reflection allowed; moving frames only, its rule for them not public",
        metric=_REFLECTED,
    ),
    *_pa("2D-LFM 2026", 30.9, None, None, f"{NO_VARIANT}; protocol not verified"),
)  # fmt: skip

H36M_MPJPE: tuple[Published, ...] = (
    Published("Kudo 2018", 131.0, "mpjpe_mm", NOT_STATED, "ungraded", None,
              "about; scale not stated"),
)  # fmt: skip

_FLIP = "its released model; better of the pose and its depth flip, true scale of each pose"
# Its scale is the truth's, where mpjpe_flip_mm here takes the least-squares one: not the same.
H36M_FLIP: tuple[Published, ...] = (
    Published("C3DPO 2019", 95.6, "mpjpe_flip_mm", GROUND_TRUTH, "code", None, _FLIP),
    Published("C3DPO 2019", 145.0, "mpjpe_flip_mm", DETECTED, "code", None, _FLIP),
)  # fmt: skip

_SCALE = "scale, annotation and joints not stated"
MPI_INF_3DHP: tuple[Published, ...] = tuple(
    Published(f"{_OWN}, from {data}", value, metric, NOT_STATED, grade, None, note)
    for data, value, metric, grade, note in (
        ("3DHP", 71.1, "pck150", "agreed", f"{_SCALE}; 71.7 in one index"),
        ("3DHP", 36.3, "auc", "agreed", _SCALE),
        ("H36M", 64.3, "pck150", "single", _SCALE),
        ("H36M", 31.6, "auc", "single", _SCALE),
    )
)
