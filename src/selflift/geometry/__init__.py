"""Cameras, rotations, normalisation, alignment and anatomy: functions of their arguments."""
