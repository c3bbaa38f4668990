r"""Random views of the lifted body.

A view is the rotation ``R`` that takes the body from the frame of its own camera to that of a
random one. Azimuth is uniform over the circle; what differs is the vertical:

* ``paper``: azimuth about the camera's own y axis, then elevation ~ U[-20 deg, 20 deg].
* ``known``: the cameras' mean pitch is given. Level the body by it, turn about the true vertical,
  pitch again by a draw from N(mean, std).
* ``learned``: the lifter predicts each sample's elevation (ElePose, CVPR 2022). Level the body by
  its own, turn, pitch again by a draw from N(batch mean, batch std).

Differs from the paper: ``known`` and ``learned``, because real cameras look down, gravity is then
not the camera's y axis, and a discriminator sees the tilt of bodies turned about the wrong axis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from selflift.geometry.rotation import azimuth, pitch

KINDS = ("paper", "known", "learned")


@dataclass(frozen=True)
class ViewSampler:
    """Draws random view rotations.

    Attributes:
        kind: ``"paper"``, ``"known"`` or ``"learned"``.
        azimuth_range_deg: Azimuth ~ U[-range, range].
        elevation_range_deg: ``paper``: elevation ~ U[-range, range].
        elevation_mean_deg: ``known``: mean downward pitch of the cameras.
        elevation_std_deg: ``known``: its spread.
    """

    kind: str = "paper"
    azimuth_range_deg: float = 180.0
    elevation_range_deg: float = 20.0
    elevation_mean_deg: float = 12.0
    elevation_std_deg: float = 5.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"view.kind: expected one of {', '.join(KINDS)}, got '{self.kind}'")

    @property
    def needs_elevation(self) -> bool:
        """Return whether the lifter must predict an elevation."""
        return self.kind == "learned"

    def sample(
        self,
        like: Float[Tensor, "batch *rest"],
        elevation_rad: Float[Tensor, "batch"] | None,
        generator: torch.Generator,
    ) -> Float[Tensor, "batch 3 3"]:
        """One random view per sample: :meth:`level` it, then :meth:`look` at it.

        Args:
            like: A tensor that gives the number of samples, the dtype and the device.
            elevation_rad: The samples' own elevation; used by ``learned`` alone.
            generator: Source of randomness, on the device of ``like``.

        Returns:
            ``R``, world-free: from the sample's camera frame to the random view's.
        """
        look, _ = self.look(like, elevation_rad, generator)
        return look @ self.level(like, elevation_rad)

    def level(
        self, like: Float[Tensor, "batch *rest"], elevation_rad: Float[Tensor, "batch"] | None
    ) -> Float[Tensor, "batch 3 3"]:
        """The rotation that sets each body upright: y becomes what ``look`` turns it about.

        Args:
            like: As in :meth:`sample`.
            elevation_rad: As in :meth:`sample`.
        """
        return pitch(-self._own_elevation(like.new_empty(len(like)), elevation_rad))

    def look(
        self,
        like: Float[Tensor, "batch *rest"],
        elevation_rad: Float[Tensor, "batch"] | None,
        generator: torch.Generator,
    ) -> tuple[Float[Tensor, "batch 3 3"], Float[Tensor, "batch"]]:
        """A random camera before upright bodies.

        Args:
            like: As in :meth:`sample`.
            elevation_rad: As in :meth:`sample`.
            generator: As in :meth:`sample`.

        Returns:
            From the upright body's frame to the camera's, and the camera's elevation in radians.
        """
        like = like.new_empty(len(like))

        def uniform() -> Tensor:
            return torch.empty_like(like).uniform_(-1, 1, generator=generator)

        a = uniform() * math.radians(self.azimuth_range_deg)
        if self.kind == "paper":
            new = uniform() * math.radians(self.elevation_range_deg)
        else:
            own = self._own_elevation(like, elevation_rad)
            noise = torch.empty_like(like).normal_(generator=generator)
            if self.kind == "known" or len(own) == 0:
                new = own + math.radians(self.elevation_std_deg) * noise
            else:
                new = own.mean() + own.std(correction=0) * noise
        return pitch(new) @ azimuth(a), new

    def _own_elevation(self, like: Tensor, elevation_rad: Tensor | None) -> Tensor:
        if self.kind == "paper":
            return torch.zeros_like(like)
        if self.kind == "known":
            return torch.full_like(like, math.radians(self.elevation_mean_deg))
        if elevation_rad is None:
            raise ValueError(
                "view.kind 'learned': expected a lifter with an elevation head, got none; "
                "set model.lifter.elevation=true"
            )
        return elevation_rad
