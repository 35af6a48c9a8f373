"""An arbiter inside a program: the objects that the program holds, and their way to the daemon."""
