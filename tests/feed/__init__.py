"""Tests of cvec_circus.feed."""
