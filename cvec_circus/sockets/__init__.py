"""Listening sockets that the daemon opens once and its children accept on."""
