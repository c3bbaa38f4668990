"""Importers: one package or module for each kind of file that users have."""
