"""The test suite: python -m unittest."""
