"""What programs written for Circus import, as far as nothing else here needs it.

`paths.py` finds a name at the path that it has in Circus, and `gone_table.py` lists what is left
out.
"""
