"""2D keypoints of detectors and annotators: OpenPose, COCO, AlphaPose, MMPose."""
