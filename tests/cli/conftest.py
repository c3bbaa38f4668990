"""An untrained lifter in a run folder, and people to lift, as for the tests of lifting."""

from tests.lift.conftest import run_folder, save_input

__all__ = ["run_folder", "save_input"]
