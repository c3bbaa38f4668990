"""Bodies: the lengths of one person's bones.

Pairs are ordered (right, left) everywhere; the right side is on +x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rng = np.random.Generator
Range = tuple[float, float]

SIDE = np.array([1.0, -1.0])  # the sign of x for (right, left)


@dataclass(frozen=True)
class Body:
    """Bone lengths of one person in metres; limbs are left/right symmetric."""

    stature: float
    ankle_height: float
    thigh: float
    shin: float
    hip_half: float
    lumbar: float
    thoracic: float
    nose_forward: float
    nose_up: float
    crown_back: float
    crown_up: float
    clavicle: float
    clavicle_drop: float
    upper_arm: float
    forearm: float

    @property
    def leg(self) -> float:
        """Length of the straight leg, hip to ankle, in metres."""
        return self.thigh + self.shin


def draw_body(rng: Rng) -> Body:
    """Draw a person: stature, and each length as a varied fraction of it.

    The fractions follow Drillis and Contini (1966), with joints where Human3.6M has them.
    """
    stature = float(np.clip(rng.normal(1.71, 0.09), 1.48, 1.98))

    def length(fraction: float, spread: float) -> float:
        return stature * fraction * float(np.exp(np.clip(rng.normal(), -2.2, 2.2) * spread))

    # Long legs come with long thighs and shins, long arms with both parts.
    legs, arms = length(1.0, 0.025) / stature, length(1.0, 0.03) / stature
    return Body(
        stature=stature,
        ankle_height=length(0.044, 0.08),
        thigh=length(0.250 * legs, 0.025),
        shin=length(0.254 * legs, 0.025),
        hip_half=length(0.074, 0.07),
        lumbar=length(0.135, 0.04),
        thoracic=length(0.147, 0.04),
        nose_forward=length(0.034, 0.12),
        nose_up=length(0.062, 0.06),
        crown_back=length(0.022, 0.15),
        crown_up=length(0.063, 0.06),
        clavicle=length(0.086, 0.06),
        clavicle_drop=length(0.012, 0.3),
        upper_arm=length(0.162 * arms, 0.03),
        forearm=length(0.146 * arms, 0.03),
    )
