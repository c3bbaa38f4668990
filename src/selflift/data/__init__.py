"""Pose sets and where they come from."""

from selflift.data.pose_set import Cameras, Labels, PoseSet
from selflift.data.rig import Clip, film
from selflift.data.source import load_split

__all__ = ["Cameras", "Clip", "Labels", "PoseSet", "film", "load_split"]
