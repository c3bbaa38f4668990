"""``python -m selflift.predict``."""

from selflift.predict.cli import main

main()
