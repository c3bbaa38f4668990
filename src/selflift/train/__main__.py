"""``python -m selflift.train``."""

from selflift.train.cli import main

main()
