"""The operating system, with real children."""
