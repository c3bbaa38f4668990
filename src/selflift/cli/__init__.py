"""The commands: train, eval, predict and prepare, and their configs by Hydra."""
