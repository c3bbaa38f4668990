"""Every number that evaluation knows, and what its name stands for.

In this field one name hides several measures. Here each has a name of its own, and a title and a
variant that are printed together wherever it is.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """What a number is.

    Attributes:
        name: Its key in files.
        title: What the field calls it.
        variant: Which of the measures of that name it is.
        unit: ``"mm"``, ``"%"``, ``"px"`` or ``"mm/frame"``.
        higher_is_better: As for PCK and AUC.
        oracle: Whether the truth helps to choose the answer; never a headline.
    """

    name: str
    title: str
    variant: str
    unit: str = "mm"
    higher_is_better: bool = False
    oracle: bool = False


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("pa_mpjpe_mm", "PA-MPJPE", "proper"),
        Metric("pa_mpjpe_reflected_mm", "PA-MPJPE", "reflection"),
        Metric("n_mpjpe_mm", "N-MPJPE", "LSQ scale"),
        Metric("n_mpjpe_norm_mm", "N-MPJPE", "norm ratio"),
        Metric("mpjpe_mm", "MPJPE", "assumed height"),
        Metric("mpjpe_train_scale_mm", "MPJPE", "training scale"),
        Metric("mpjpe_flip_mm", "MPJPE", "depth-flip oracle", oracle=True),
        Metric("pck150", "PCK@150", "assumed height", "%", True),
        Metric("auc", "AUC", "assumed height", "%", True),
        Metric("n_pck150", "PCK@150", "LSQ scale", "%", True),
        Metric("n_auc", "AUC", "LSQ scale", "%", True),
        Metric("pa_pck150", "PCK@150", "PA, proper", "%", True),
        Metric("pa_auc", "AUC", "PA, proper", "%", True),
        Metric("mpjve_mm", "MPJVE", "LSQ scale", "mm/frame"),
        Metric("bone_length_mm", "bone length error", "LSQ scale"),
        Metric("symmetry_pct", "left/right asymmetry", "of bone lengths", "%"),
        Metric("reprojection_px", "reprojection error", "LSQ scale and place", "px"),
        Metric("flat_pa_mpjpe_mm", "flat PA-MPJPE", "proper"),
        Metric("flat_n_mpjpe_mm", "flat N-MPJPE", "LSQ scale"),
        Metric("facing_pct", "facing accuracy", "nose on the true side", "%", True),
    )
}
