"""Tests of the documentation: what its pages show is run."""
