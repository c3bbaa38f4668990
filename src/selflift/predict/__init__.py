"""From files of 2D keypoints to files of 3D motion."""

from selflift.predict.people import LiftedPerson, Prediction
from selflift.predict.run import predict

__all__ = ["LiftedPerson", "Prediction", "predict"]
