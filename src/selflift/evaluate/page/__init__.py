"""The report as a web page: one file that opens offline, with everything in it."""

from selflift.evaluate.page.data import (
    ActionResult,
    Covariates,
    Elevation,
    Example,
    PageData,
    PublishedResult,
    Result,
)
from selflift.evaluate.page.html import render, write_page

__all__ = [
    "ActionResult",
    "Covariates",
    "Elevation",
    "Example",
    "PageData",
    "PublishedResult",
    "Result",
    "render",
    "write_page",
]
