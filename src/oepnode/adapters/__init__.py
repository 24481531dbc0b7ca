"""Access to chain, HTTP, cryptography, storage, clock and pictures; one module for each library.

Guarantees: foreign exceptions and types stop here. ``wiring`` chooses the adapters behind the ports
of `oepnode.ports`. ``services``, ``client``, ``cli`` and ``demo`` import adapters for jobs without
a port; ``worker`` imports none.

Importing this package also keeps the interpreter's recursion limit: py_ecc, which comes with
eth-account and is not used here, raises it to 100,000 when it is imported, and a decoder of JSON or
MessagePack would then crash on a nesting bomb instead of raising an error.
"""

import sys

_limit = sys.getrecursionlimit()
import py_ecc  # noqa: E402, F401 - imported here so that it does not raise the limit later

sys.setrecursionlimit(_limit)
