"""Lifted motion as a web page: one file that opens offline and shows the people in 3D."""

from selflift.viewer.page import render, write_viewer
from selflift.viewer.people import Person

__all__ = ["Person", "render", "write_viewer"]
