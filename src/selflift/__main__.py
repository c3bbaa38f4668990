"""``python -m selflift``."""

from selflift.cli import main

main()
