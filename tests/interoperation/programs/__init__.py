"""Small programs in the style of those that people have written for Circus, to be renamed."""
