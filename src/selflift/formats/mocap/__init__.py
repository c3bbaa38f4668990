"""Motion capture files: ASF/AMC and BVH are read by forward kinematics, BVH is written."""

from selflift.formats.mocap.bvh_writer import BvhFit, write_bvh
from selflift.formats.mocap.importer import open_mocap, recognise

__all__ = ["BvhFit", "open_mocap", "recognise", "write_bvh"]
