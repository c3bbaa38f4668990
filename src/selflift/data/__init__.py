"""Pose sets and where they come from."""

from selflift.data.pose_set import Labels, PoseSet
from selflift.data.rig import Clip, film
from selflift.data.source import load_split
from selflift.geometry.camera import Calibration

__all__ = ["Calibration", "Clip", "Labels", "PoseSet", "film", "load_split"]
