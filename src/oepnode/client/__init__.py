"""The Python library of aggregators, auditors and analysts: one function owns each journey.

Every function returns a frozen value, prints nothing, and raises one of the error families of
``oepnode.errors``. The command line is built on it. Source: ``docs/python.md``.
"""
