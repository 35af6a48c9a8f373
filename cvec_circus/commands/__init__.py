"""The commands of the wire, one file each; shared by the daemon and its command line."""
