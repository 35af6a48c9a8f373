"""Tests of what a program holds that embeds an arbiter."""
