"""The networks: tensors in, tensors out."""

from selflift.models.adapter import DomainAdapter
from selflift.models.discriminator import PoseDiscriminator, TemporalDiscriminator
from selflift.models.lifter import Lifted, Lifter

__all__ = ["DomainAdapter", "Lifted", "Lifter", "PoseDiscriminator", "TemporalDiscriminator"]
