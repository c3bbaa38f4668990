"""``python -m selflift.eval``."""

from selflift.eval.cli import main

main()
