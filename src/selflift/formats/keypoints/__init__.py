"""2D keypoints of detectors and annotators: OpenPose, COCO, AlphaPose, MMPose, Detectron.

Every reader fills one table per video (:mod:`~selflift.formats.keypoints.detections`); choosing
people and marking missing joints is the same for all (:mod:`~selflift.formats.keypoints.assemble`).
"""
