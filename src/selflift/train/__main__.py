"""``python -m selflift.train``; the command itself is :mod:`selflift.cli.train`."""

from selflift.cli.interrupt import leave_at_once

leave_at_once()

from selflift.cli.train import main  # noqa: E402

main()
