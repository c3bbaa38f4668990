"""Conversion of every format that users have into pose sets."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selflift.prepare.convert import Outcome, prepare
    from selflift.prepare.sources import SOURCES, Source

__all__ = ["SOURCES", "Outcome", "Source", "prepare"]

# Where each name is; imported when it is asked for, so that Ctrl-C can be answered before.
_HOMES = {"convert": ("Outcome", "prepare"), "sources": ("SOURCES", "Source")}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
