"""Training: state, step, loop and the command line."""
