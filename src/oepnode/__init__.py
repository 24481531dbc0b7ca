"""oepnode: independent workers that partition operating envelopes and agree on the result on chain.

The layers, from the bottom: ``errors``, ``domain`` (pure), ``ports`` (protocols), ``config``,
``adapters`` (chain, HTTP, storage, keys), ``worker`` and ``services``, ``wiring``, ``client`` (the
Python library), ``demo``, ``cli``. Imports point down only; import-linter enforces it.
"""

__version__ = "0.1.0"
