"""Tests of cvec_circus.sockets, with real sockets."""
