"""Statistics: the process that measures all others and publishes what it sees, and its clients."""
