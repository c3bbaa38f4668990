"""Motion capture files, ASF/AMC and BVH, by forward kinematics."""
