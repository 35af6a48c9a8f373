"""Tests of cvec_circus.control."""
