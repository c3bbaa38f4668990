"""Catalogue of every number that an evaluation reports: title, variant, alignment, definition.

In this field one name stands for several measures. Here each has a name of its own, and a title
and a variant that are printed together.
"""

from __future__ import annotations

from dataclasses import dataclass

# Alignment behind each variant.
ALIGNMENTS: dict[str, str] = {
    "proper": "similarity transform without reflection",
    "reflection": "similarity transform, reflection allowed",
    "LSQ scale": "root-centred, least-squares scale of each pose",
    "norm ratio": "root-centred, scaled by the ratio of the poses' norms",
    "assumed height": "root-centred, every prediction scaled to one assumed height; no truth used",
    "training scale": "root-centred, one scale for all, fitted to the training set",
    "depth-flip oracle": "root-centred, least-squares scale, the better of the pose and its depth "
    "flip",
    "PA, proper": "similarity transform without reflection",
    "of bone lengths": "none, left is compared with right",
    "LSQ scale and place": "least-squares scale, placed at the true root",
    "nose on the true side": "none",
}


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: Its key in files.
        title: Its name in the field.
        variant: The measure of that name that it is, a key of :data:`ALIGNMENTS`.
        definition: The measure in a sentence.
        unit: ``"mm"``, ``"%"``, ``"px"`` or ``"mm/frame"``.
        higher_is_better: As for PCK and AUC.
        oracle: Whether the truth helps to choose the answer; never a headline.
    """

    name: str
    title: str
    variant: str
    definition: str
    unit: str = "mm"
    higher_is_better: bool = False
    oracle: bool = False

    @property
    def full_title(self) -> str:
        """Title and variant, and a dagger on an oracle."""
        return f"{self.title} ({self.variant}){' †' if self.oracle else ''}"


def number(metric: Metric, value: float | None) -> str:
    """Format a number with the digits that its unit deserves; a dash for ``None``."""
    if value is None:
        return "-"
    return f"{value:.{2 if metric.unit in ('mm/frame', 'px') else 1}f}"


_DISTANCE = "Mean distance between predicted and true joints"
_CENTRED = f"{_DISTANCE}, both root-centred"
_SIMILARITY = f"{_DISTANCE} after each prediction's best rotation, scale and translation"
_HEIGHT = "every prediction is scaled to one assumed height of the skeleton, without the truth"
_LSQ = "each prediction has its least-squares scale about the root"
_PA = "each prediction has its best rotation, scale and translation, without mirroring"
_PCK = "Share of joints that are less than 150 mm off"
_AUC = (
    "Mean share of joints that are less than a threshold off, over the thresholds 0, 5, ..., "
    "150 mm (a perfect prediction has 96.8 %)"
)
_FLAT = "A baseline without any depth: the input with all joints at one depth, then as"

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("pa_mpjpe_mm", "PA-MPJPE", "proper", f"{_SIMILARITY}; never a mirror image."),
        Metric("pa_mpjpe_reflected_mm", "PA-MPJPE", "reflection", f"{_SIMILARITY}; a mirror image "
               "is used where it fits better, which hides poses that are mirrored in depth."),
        Metric("n_mpjpe_mm", "N-MPJPE", "LSQ scale", f"{_DISTANCE}; {_LSQ}; nothing is rotated."),
        Metric("n_mpjpe_norm_mm", "N-MPJPE", "norm ratio", f"{_DISTANCE}; each prediction is "
               "scaled about the root to the true pose's norm; nothing is rotated."),
        Metric("mpjpe_mm", "MPJPE", "assumed height", f"{_CENTRED}; {_HEIGHT}."),
        Metric("mpjpe_train_scale_mm", "MPJPE", "training scale", f"{_CENTRED}; all predictions "
               "are multiplied by one constant, which was fitted to the training set."),
        Metric("mpjpe_flip_mm", "MPJPE", "depth-flip oracle", "The smaller of two errors: of the "
               "prediction and of its mirror image in depth, each after its least-squares scale. "
               "The truth chooses, pose by pose: an oracle.", oracle=True),
        Metric("pck150", "PCK@150", "assumed height", f"{_PCK}, poses root-centred; {_HEIGHT}.",
               "%", True),
        Metric("auc", "AUC", "assumed height", f"{_AUC}, poses root-centred; {_HEIGHT}.", "%",
               True),
        Metric("n_pck150", "PCK@150", "LSQ scale", f"{_PCK}, poses root-centred; {_LSQ}.", "%",
               True),
        Metric("n_auc", "AUC", "LSQ scale", f"{_AUC}, poses root-centred; {_LSQ}.", "%", True),
        Metric("pa_pck150", "PCK@150", "PA, proper", f"{_PCK}; {_PA}.", "%", True),
        Metric("pa_auc", "AUC", "PA, proper", f"{_AUC}; {_PA}.", "%", True),
        Metric("mpjve_mm", "MPJVE", "LSQ scale", "Mean distance between the predicted and the "
               "true displacement of a joint from one kept frame to the next of the same clip and "
               f"camera, divided by the number of frames between them; {_LSQ}.", "mm/frame"),
        Metric("bone_length_mm", "bone length error", "LSQ scale", "Mean absolute difference "
               f"between predicted and true lengths of bones; {_LSQ}."),
        Metric("symmetry_pct", "left/right asymmetry", "of bone lengths", "Mean absolute "
               "difference between the lengths of a left bone and its right counterpart, relative "
               "to their mean; of predictions alone.", "%"),
        Metric("reprojection_px", "reprojection error", "LSQ scale and place", "Mean distance in "
               "the image between the 2D input and the projected prediction, which has its "
               "least-squares scale and stands where the true root is. Depth hardly counts.",
               "px"),
        Metric("flat_pa_mpjpe_mm", "flat PA-MPJPE", "proper",
               f"{_FLAT} PA-MPJPE without mirroring."),
        Metric("flat_n_mpjpe_mm", "flat N-MPJPE", "LSQ scale",
               f"{_FLAT} N-MPJPE with the least-squares scale."),
        Metric("facing_pct", "facing accuracy", "nose on the true side", "Share of predictions "
               "whose nose lies on the same side of the plane through root and shoulders as in "
               "the truth; a pose that is mirrored in depth fails.", "%", True),
    )
}  # fmt: skip
