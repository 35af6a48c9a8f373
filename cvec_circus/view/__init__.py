"""What a client knows of a daemon, wherever it comes from."""
