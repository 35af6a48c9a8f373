"""Tests of cvec_circus.plugins."""
