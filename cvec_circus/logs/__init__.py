"""Destinations of log lines. Whatever fails there, the program keeps running."""
