"""All readers under attack."""

from __future__ import annotations

from tests.fuzz.binary_formats import BINARY_FORMATS
from tests.fuzz.own_formats import OWN_FORMATS
from tests.fuzz.target import Target
from tests.fuzz.text_formats import TEXT_FORMATS

TARGETS: tuple[Target, ...] = (*OWN_FORMATS, *BINARY_FORMATS, *TEXT_FORMATS)
