"""Motion capture files, ASF/AMC and BVH, by forward kinematics."""

from selflift.data.mocap.importer import open_mocap, recognise

__all__ = ["open_mocap", "recognise"]
