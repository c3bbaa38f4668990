"""``python -m selflift.prepare``."""

from selflift.interrupt import leave_at_once

leave_at_once()

from selflift.prepare.cli import main  # noqa: E402

main()
