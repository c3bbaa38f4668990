"""Skeleton figures and animations: poses in 2D and 3D, evaluated examples, and the cycle.

3D poses are given in camera axes (x right, y down, z forward) and drawn orthographically, up
upwards, after a turn about the vertical: 0 degrees is the camera's own view, at 90 degrees depth
grows to the right, so the camera stands at the left. Left limbs, right limbs and trunk have three
colours that the colour-blind distinguish (Okabe and Ito, 2008).

Figures are drawn off screen, without pyplot and its global state; notebooks show them, and
animations, as the value of a cell.
"""

from selflift.viz.animation import PoseAnimation, animate
from selflift.viz.animation_files import save_animation
from selflift.viz.drawing import (
    LEFT_COLOUR,
    RIGHT_COLOUR,
    SIDE_VIEW_DEG,
    TRUNK_COLOUR,
    bone_colours,
    plot_pose_2d,
    plot_pose_3d,
)
from selflift.viz.figures import (
    ExamplePose,
    SamplePose,
    figure_cycle,
    figure_poses,
    figure_samples,
    plot_cycle,
)
from selflift.viz.panels import save_figure
from selflift.viz.pose_figure import plot_pose

__all__ = [
    "LEFT_COLOUR", "RIGHT_COLOUR", "SIDE_VIEW_DEG", "TRUNK_COLOUR", "ExamplePose", "PoseAnimation",
    "SamplePose", "animate", "bone_colours", "figure_cycle", "figure_poses", "figure_samples",
    "plot_cycle", "plot_pose", "plot_pose_2d", "plot_pose_3d", "save_animation", "save_figure",
]  # fmt: skip
