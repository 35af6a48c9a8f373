"""What becomes of the children's output: the pump thread reads it, streams write it."""
