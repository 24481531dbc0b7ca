"""Settings of the four long-running programs, parsed once from TOML and the environment.

A setting is read from the TOML file, and overridden by an environment variable named
``OEPNODE_…`` (nested with ``__``). Unknown names are errors. Secrets are in files that the settings
name, never in the settings themselves.
"""

from oepnode.config.chain import ChainSettings
from oepnode.config.http import HttpSettings
from oepnode.config.operators import NODES_WITHOUT_LIST
from oepnode.config.program import load
from oepnode.config.registry import RegistrySettings
from oepnode.config.relay import RelaySettings
from oepnode.config.sender import SenderSettings
from oepnode.config.worker import WorkerRelaySettings, WorkerSettings

__all__ = [
    "NODES_WITHOUT_LIST",
    "ChainSettings",
    "HttpSettings",
    "RegistrySettings",
    "RelaySettings",
    "SenderSettings",
    "WorkerRelaySettings",
    "WorkerSettings",
    "load",
]
