"""selflift: learns to lift 2D human keypoints to 3D from 2D keypoints alone."""

__version__ = "0.1.0"
