"""oepnode: independent workers that partition operating envelopes and agree on the result on chain.

The layers, from the bottom: ``errors``, ``domain`` (pure), ``ports`` (protocols), ``config``,
``adapters`` (the outside), ``node``/``services``/``web``, ``wiring``, ``demo``, ``cli``. Imports
point down only; import-linter holds them to it.
"""

__version__ = "0.1.0"
