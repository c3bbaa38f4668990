"""``python -m selflift``."""

from selflift.cli.main import main

main()
