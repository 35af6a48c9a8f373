"""Tests of where log lines go."""
