"""The command line: one command to the daemon, its reply to people or to scripts."""
