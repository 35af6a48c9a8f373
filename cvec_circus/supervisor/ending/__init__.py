"""The end of processes: signals, exits, groups, strays and cgroups."""
