"""Tests of what runs plugins."""
