"""Damaged files for every reader."""

# Before tests.conftest, which has types checked in whatever is imported after it: users' are not.
import selflift.hub
import selflift.predict.takes
import selflift.train.loop  # noqa: F401
