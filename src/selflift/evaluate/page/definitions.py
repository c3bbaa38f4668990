"""What each metric of the catalogue measures, in a sentence for the page's reader."""

from __future__ import annotations

_SIMILARITY = (
    "Mean distance between predicted and true joints after the rotation, scale and translation of "
    "each prediction that fit best"
)
_BY_LSQ = "Mean distance between predicted and true joints after each prediction got the scale"
_HEIGHT = (
    "every prediction is scaled so that its chain of bones from the ankles to the head has one "
    "assumed length; the truth isn't used"
)
_LSQ = "each prediction has its least-squares scale about the root"
_PA = "each prediction has its best rotation, scale and translation, without mirroring"
_PCK = "Share of joints that are less than 150 mm off"
_AUC = (
    "Mean share of joints that are less than a threshold off, over the thresholds 0, 5, …, 150 mm "
    "(a perfect prediction has 96.8 %)"
)

DEFINITIONS: dict[str, str] = {
    "pa_mpjpe_mm": f"{_SIMILARITY}; a mirror image is never used.",
    "pa_mpjpe_reflected_mm": (
        f"{_SIMILARITY}; a mirror image is used where it fits better, which hides poses that are "
        "mirrored in depth."
    ),
    "n_mpjpe_mm": f"{_BY_LSQ} about the root that fits best by least squares; nothing is rotated.",
    "n_mpjpe_norm_mm": (
        f"{_BY_LSQ} about the root that gives it the true pose's norm; nothing is rotated."
    ),
    "mpjpe_mm": f"Mean distance between predicted and true joints, both root-centred; {_HEIGHT}.",
    "mpjpe_train_scale_mm": (
        "Mean distance between predicted and true joints, both root-centred; all predictions are "
        "multiplied by one constant, which was fitted to the training set."
    ),
    "mpjpe_flip_mm": (
        "The smaller one of two errors: of the prediction and of its mirror image in depth, each "
        "after its least-squares scale. The truth chooses, pose by pose: an oracle."
    ),
    "pck150": f"{_PCK}, poses root-centred; {_HEIGHT}.",
    "auc": f"{_AUC}, poses root-centred; {_HEIGHT}.",
    "n_pck150": f"{_PCK}, poses root-centred; {_LSQ}.",
    "n_auc": f"{_AUC}, poses root-centred; {_LSQ}.",
    "pa_pck150": f"{_PCK}; {_PA}.",
    "pa_auc": f"{_AUC}; {_PA}.",
    "mpjve_mm": (
        "Mean distance between the predicted and the true displacement of a joint from one kept "
        "frame to the next of the same clip and camera, divided by the number of frames between "
        f"them; {_LSQ}."
    ),
    "bone_length_mm": (
        f"Mean absolute difference between predicted and true lengths of bones; {_LSQ}."
    ),
    "symmetry_pct": (
        "Mean absolute difference between the lengths of a left bone and its right counterpart, "
        "relative to their mean; of predictions alone."
    ),
    "reprojection_px": (
        "Mean distance in the image between the 2D input and the projected prediction, which has "
        "its least-squares scale and stands where the true root is. Depth hardly counts."
    ),
    "flat_pa_mpjpe_mm": (
        "A baseline without any depth: the input, all joints at one depth, then as PA-MPJPE "
        "without mirroring."
    ),
    "flat_n_mpjpe_mm": (
        "A baseline without any depth: the input, all joints at one depth, then as N-MPJPE with "
        "the least-squares scale."
    ),
    "facing_pct": (
        "Share of predictions whose nose lies on the same side of the plane through root and "
        "shoulders as in the truth; a pose that is mirrored in depth fails."
    ),
}
