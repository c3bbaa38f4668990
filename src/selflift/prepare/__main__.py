"""``python -m selflift.prepare``."""

from selflift.prepare.cli import main

main()
