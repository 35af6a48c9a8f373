"""Tests of cvec_circus.wire."""
