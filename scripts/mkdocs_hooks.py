"""Hook of mkdocs: turn references in docstrings into plain names."""

from __future__ import annotations

import re
from typing import Any

# As mkdocs renders :class:`~selflift.models.Lifter`.
REFERENCE = re.compile(r":(?:attr|class|data|func|meth|mod):<code>(~?)([\w.]+)</code>")


def on_page_content(html: str, **_: Any) -> str:
    """The page without the references' roles; ``~`` leaves the last part of a name."""
    return REFERENCE.sub(
        lambda m: f"<code>{m[2].rsplit('.', 1)[-1] if m[1] else m[2]}</code>", html
    )
