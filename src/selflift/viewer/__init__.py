"""Lifted motion as a web page: one file that opens offline and shows the people in 3D."""

from selflift.viewer.html_page import render, write_viewer
from selflift.viewer.shown_person import Person

__all__ = ["Person", "render", "write_viewer"]
