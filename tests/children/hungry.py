"""Takes more and more memory, until it is killed."""

taken = []
while True:
    taken.append(bytearray(b"x") * 1_000_000)
