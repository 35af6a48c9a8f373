"""Tests of cvec_circus.commands."""
