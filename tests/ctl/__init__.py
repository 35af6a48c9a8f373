"""Tests of cvec_circus.ctl."""
