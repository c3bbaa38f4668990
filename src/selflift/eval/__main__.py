"""``python -m selflift.eval``."""

from selflift.interrupt import leave_at_once

leave_at_once()

from selflift.eval.cli import main  # noqa: E402

main()
