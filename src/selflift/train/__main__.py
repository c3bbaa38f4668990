"""``python -m selflift.train``."""

from selflift.interrupt import leave_at_once

leave_at_once()

from selflift.train.cli import main  # noqa: E402

main()
