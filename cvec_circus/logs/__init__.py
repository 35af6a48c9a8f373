"""Where log lines go. Whatever becomes of them there, the program runs on."""
