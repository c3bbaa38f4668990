"""2D keypoints of detectors and annotators: OpenPose, COCO, AlphaPose, MMPose, Detectron.

Every format is a module with ``recognise`` and ``open_keypoints``
(:class:`~selflift.formats.keypoints.reader.Reader`). All fill one table per video, from which
:mod:`~selflift.formats.keypoints.reader` makes recordings.
"""
