"""Ways to ask a process whether it is ready, or alive. The caller says which to use."""
