"""Skeleton figures: poses in 2D and 3D, evaluated examples, and the cycle."""

from selflift.viz.figures import (
    LEFT_COLOUR,
    RIGHT_COLOUR,
    SIDE_VIEW_DEG,
    TRUNK_COLOUR,
    ExamplePose,
    SamplePose,
    bone_colours,
    figure_cycle,
    figure_poses,
    figure_samples,
    plot_pose_2d,
    plot_pose_3d,
    save_figure,
)

__all__ = [
    "LEFT_COLOUR", "RIGHT_COLOUR", "SIDE_VIEW_DEG", "TRUNK_COLOUR", "ExamplePose", "SamplePose",
    "bone_colours", "figure_cycle", "figure_poses", "figure_samples", "plot_pose_2d",
    "plot_pose_3d", "save_figure",
]  # fmt: skip
