"""From somebody's keypoints in pixels to 3D poses in metres."""

from selflift.lifting.camera import Camera
from selflift.lifting.model import Model, load_model
from selflift.lifting.pose_lifter import PoseLifter
from selflift.lifting.result import LiftedPoses

__all__ = ["Camera", "LiftedPoses", "Model", "PoseLifter", "load_model"]
