"""Tests of what programs written for Circus import, used as they use it."""
