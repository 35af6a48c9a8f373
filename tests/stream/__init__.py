"""Tests of cvec_circus.stream, with real pipes, real files and real writers."""
