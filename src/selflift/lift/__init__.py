"""Lifting of keypoints in pixels to 3D poses in metres."""

from selflift.lift.camera_assumptions import Camera
from selflift.lift.loaded_model import Model, load_model
from selflift.lift.pose_lifter import PoseLifter
from selflift.lift.result import LiftedPoses

__all__ = ["Camera", "LiftedPoses", "Model", "PoseLifter", "load_model"]
