"""The supervisor in the test's own process, with real children."""
