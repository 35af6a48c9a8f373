"""What travels between the daemon and its clients; imports no zmq."""
