"""The tables of options: what can be configured, with its kind, its default and its meaning."""
