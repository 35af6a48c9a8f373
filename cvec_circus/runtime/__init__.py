"""The process of a plugin: finds its class, runs it, and feeds it the events of the daemon."""
