"""The Python library of aggregators, auditors and analysts: one function owns each journey.

Every function returns a frozen value, prints nothing, and raises one of the error families of
``oepnode.errors``. The command line is built on it. Source: ``docs/python.md``.

Example:
    >>> from oepnode.client import ChainTarget, RoundSelector, verify_bundle    # doctest: +SKIP
    >>> chain = ChainTarget("http://localhost:8545", "0x5fbd…")                 # doctest: +SKIP
    >>> bundle = verify_bundle("round-3.oepb", "A1.json", RoundSelector(chain)) # doctest: +SKIP
"""

from __future__ import annotations

from oepnode.client.audits import ArchivedInputs, InputFiles, audit_round, replay_round
from oepnode.client.bundles import bundle_limits, check_bundle, fetch_bundle, verify_bundle
from oepnode.client.chain import ChainTarget
from oepnode.client.keys import KeyPair, create_key_pair
from oepnode.client.proofs import (
    check_site_proof,
    cut_site_proof,
    site_limits,
    verify_site_proof,
)
from oepnode.client.rounds import FinalRound, RoundSelector, final_round, list_rounds
from oepnode.domain.nem.quantities import Feed

__all__ = [
    "ArchivedInputs",
    "ChainTarget",
    "Feed",
    "FinalRound",
    "InputFiles",
    "KeyPair",
    "RoundSelector",
    "audit_round",
    "bundle_limits",
    "check_bundle",
    "check_site_proof",
    "create_key_pair",
    "cut_site_proof",
    "fetch_bundle",
    "final_round",
    "list_rounds",
    "replay_round",
    "site_limits",
    "verify_bundle",
    "verify_site_proof",
]
