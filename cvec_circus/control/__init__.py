"""The daemon's two sockets: requests come in and are answered, events go out."""
