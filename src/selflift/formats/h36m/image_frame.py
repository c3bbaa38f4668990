r"""Poses of Human3.6M's "image frame" (LCN, MotionBERT), rebuilt in the camera's frame.

For a body in front of a camera with focal lengths ``f``, centre ``c`` and no lens, the published
files store per joint

``u = f_x X / Z + c_x``, ``v = f_y Y / Z + c_y``, ``w = r (Z - Z_0)``, ``r = f_x / Z_0 + 1/2000``

where ``Z_0`` is the root's depth: ``r`` is the width in pixels of a box of 2 m about the root, plus
one, divided by 2000 mm (LCN's ``gendb.py``). Given ``Z_0``, all of this can be inverted exactly. Of
``Z_0`` itself the files only tell ``2.5d_factor``, in mm per pixel, and the code that made it is
not public. Two readings are at hand, each of which determines ``Z_0``:

* ``"box"``: it is ``1 / r``. (Without the ``+ 1`` in ``r``, a root at 5 m would be placed 11 mm too
  near, and the body be 0.2 % too small.)
* ``"fit"``: it brings the root-relative image pose nearest to the root-relative camera pose, in the
  least-squares sense. MotionBERT's authors call it the scale ``lambda`` of LCN's journal version,
  which others have computed like this.

The true reading gives rigid limbs, since the recording has a rigid skeleton; a wrong one lets them
grow and shrink as the body moves. So both are tried on a sample, and the more rigid one is used.
"""

from __future__ import annotations

import numpy as np

from selflift.geometry.camera import Calibration
from selflift.skeleton import H36M_17

BOX_MM = 2000.0
READINGS = ("box", "fit")
_ITERATIONS = 8
_LIMBS = tuple(
    (H36M_17.index(side + a), H36M_17.index(side + b))
    for side in "LR"
    for a, b in (("Hip", "Knee"), ("Knee", "Foot"), ("Shoulder", "Elbow"), ("Elbow", "Wrist"))
)


def rebuild(image: np.ndarray, factor: np.ndarray, view: Calibration, reading: str) -> np.ndarray:
    """Rebuild camera-frame poses.

    Args:
        image: ``joint3d_image``, ``(T, 17, 3)``, pixels.
        factor: ``2.5d_factor``, ``(T,)``, mm per pixel.
        view: The camera; its lens is not used.
        reading: Meaning of ``factor``, one of :data:`READINGS`.

    Returns:
        ``(T, 17, 3)`` float64, mm.
    """
    image, factor = image.astype(np.float64), factor.astype(np.float64)
    rays = (image[..., :2] - view.c_px) / view.f_px
    f_x = float(view.f_px[0])
    if reading == "box":
        return _at_depth(f_x / (1 / factor - 1 / BOX_MM), rays, image[..., 2], f_x)
    flat = image - image[:, :1]
    scale = (flat * flat).sum((1, 2))
    depth = f_x * factor
    # The fitted factor grows in proportion to the depth, but for the + 1: a few steps settle it.
    for _ in range(_ITERATIONS):
        X = _at_depth(depth, rays, image[..., 2], f_x)
        depth = depth * factor * scale / (flat * (X - X[:, :1])).sum((1, 2))
    return _at_depth(depth, rays, image[..., 2], f_x)


def limb_spread(X: np.ndarray) -> float:
    """Standard deviation of the limbs' lengths over the frames, as a share of their mean length.

    Args:
        X: ``(T, 17, 3)`` of one person.

    Returns:
        The mean over thighs, shanks, upper arms and forearms.
    """
    lengths = np.stack([np.linalg.norm(X[:, a] - X[:, b], axis=-1) for a, b in _LIMBS], axis=-1)
    return float((lengths.std(0) / lengths.mean(0)).mean())


def _at_depth(depth: np.ndarray, rays: np.ndarray, w: np.ndarray, f_x: float) -> np.ndarray:
    z = depth[:, None] + w / (f_x / depth + 1 / BOX_MM)[:, None]
    return np.concatenate([rays * z[..., None], z[..., None]], axis=-1)
