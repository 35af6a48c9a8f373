"""Tests of cvec_circus.client.feed."""
