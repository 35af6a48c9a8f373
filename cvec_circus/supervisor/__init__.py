"""The imperative shell around the core: the one thread that spawns, signals and answers."""
