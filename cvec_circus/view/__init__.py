"""A client's view of a daemon, from any source."""
