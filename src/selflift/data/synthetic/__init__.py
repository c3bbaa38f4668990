"""Synthetic people: a procedural human in the Human3.6M 17-joint layout, the default data.

No file and no download: subjects with bodies of their own walk, sit, reach, crouch, kick or dance,
and every clip faces a direction of its own. An action plans a `Motion` for a `Body`, and `pose`
turns the plan into joints within the limits of human joints.

World frame: metres, z up, right-handed, the ground at z = 0.
"""

from selflift.data.synthetic.body import Body, Motion, draw_body
from selflift.data.synthetic.clips import ACTIONS, SPLITS, generate
from selflift.data.synthetic.joints import ELBOW_FLEXION, KNEE_FLEXION, pose

__all__ = [
    "ACTIONS",
    "ELBOW_FLEXION",
    "KNEE_FLEXION",
    "SPLITS",
    "Body",
    "Motion",
    "draw_body",
    "generate",
    "pose",
]
