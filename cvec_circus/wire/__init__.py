"""The data exchanged between the daemon and its clients; imports no zmq."""
