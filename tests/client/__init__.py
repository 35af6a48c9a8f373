"""Tests of what reaches a daemon."""
