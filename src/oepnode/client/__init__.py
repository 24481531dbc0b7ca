"""The Python library of aggregators, auditors and analysts: each journey is one function.

Guarantees: a function returns a value or raises an error of `oepnode.errors`; nothing is printed.
Notes on what was odd but allowed are part of the value. Leaves out options, tables and exit codes:
those are the command line's.
"""
