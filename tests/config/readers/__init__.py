"""Tests of what reads configurations."""
