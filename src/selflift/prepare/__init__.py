"""Conversion of every format that users have into pose sets."""

from selflift.prepare.convert import Outcome, prepare
from selflift.prepare.sources import SOURCES, Source

__all__ = ["SOURCES", "Outcome", "Source", "prepare"]
