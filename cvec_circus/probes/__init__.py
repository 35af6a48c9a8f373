"""Ways to ask a process whether it is ready, or alive; what is asked for is told from above."""
