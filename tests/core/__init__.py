"""Histories of the core against the fake world."""
