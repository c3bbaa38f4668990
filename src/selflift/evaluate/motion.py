r"""How well predicted poses move from frame to frame: MPJVE, in millimetres per frame.

Predictions of single frames jitter, which no position error shows. The velocity of a joint is its
displacement to the next pose of the same clip and camera, over the frames in between.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from selflift.evaluate.metrics import check_scorable


def mpjve(
    prediction: Float[Tensor, "N J 3"],
    target: Float[Tensor, "N J 3"],
    clip_index: Int[Tensor, "N"],
    camera_index: Int[Tensor, "N"],
    frame: Int[Tensor, "N"],
) -> Float[Tensor, "N"]:
    """Mean per-joint velocity error: ``|(P_next - P) - (T_next - T)| / (frames in between)``.

    The next pose is the one of the same clip and camera with the next larger frame number in the
    set. Where frames were left out, it is the mean velocity up to there, in which jitter weighs
    less: compare sets that are thinned alike, and of the same frame rate.

    Differs from VideoPose3D's ``mean_velocity_error``: there all frames of a recording follow each
    other, and a recording is one array; on such sets both are the same number.

    Args:
        prediction: Root-centred predictions in mm, scaled as the wanted variant says, in any
            order. A scale of its own for each pose makes them jitter, too.
        target: Root-centred truth in mm, in the same axes.
        clip_index: Which clip each pose is of.
        camera_index: Which camera saw it.
        frame: Its index in the recording.

    Returns:
        Error of each pose in mm per frame, in the given order; NaN, to be counted as excluded, for
        the last pose of a clip and camera.

    Raises:
        ValueError: If there is no pose, a value is NaN or infinite, a pose has all joints in one
            point, or two poses are of the same clip, camera and frame.

    Source: facebookresearch/VideoPose3D, ``common/loss.py``.
    """
    check_scorable(prediction, target)
    order = _lexsort(clip_index, camera_index, frame)
    now, following = order[:-1], order[1:]
    same = (clip_index[now] == clip_index[following]) & (
        camera_index[now] == camera_index[following]
    )
    now, following = now[same], following[same]
    step = frame[following] - frame[now]
    if bool((step == 0).any()):
        first = int(now[step == 0][0])
        raise ValueError(
            "mpjve: expected one pose per frame of a clip and camera, got "
            f"{int((step == 0).sum())} more (first: frame {int(frame[first])} of pose {first}); "
            "give every person's recording a clip of its own"
        )
    drift = prediction - target
    change = (drift[following] - drift[now]).norm(dim=-1).mean(-1)
    error = torch.full_like(prediction[:, 0, 0], torch.nan)
    error[now] = change / step
    return error


def _lexsort(*keys: Int[Tensor, "N"]) -> Int[Tensor, "N"]:
    """Order by the first key, equal ones by the second, and so on."""
    order = torch.arange(len(keys[0]), device=keys[0].device)
    for key in reversed(keys):
        order = order[torch.argsort(key[order], stable=True)]
    return order
