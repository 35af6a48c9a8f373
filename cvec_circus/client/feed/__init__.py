"""The events of a daemon, each once and in order."""
