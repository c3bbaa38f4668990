"""The method: the cycle, its losses, the adversarial game and the training step."""
