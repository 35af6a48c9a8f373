"""The events of a daemon, each once and in order, for whoever subscribes: plugins and people."""
