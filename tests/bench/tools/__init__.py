"""Programs that the measurements start: clients, echoes, plugins."""
