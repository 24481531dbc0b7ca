"""Section 7: keys and pseudonyms."""

from __future__ import annotations

import hashlib

from tests.reference.pseudonyms import (
    aggregator_key,
    aggregator_pseudonym,
    round_context,
    round_key,
    site_key,
    site_pseudonym,
)
from tests.reference.vectors.common import AEMO_NMIS, CONTRACT, SALT, Json


def key_vectors() -> Json:
    """Keys and pseudonyms of three rounds."""
    cases = []
    for chain_id, contract, number in (
        (31337, CONTRACT, 1),
        (246, CONTRACT, 2**64 - 1),
        (2**256 - 1, bytes(20), 1),
    ):
        context = round_context(chain_id, contract, number)
        k_round = round_key(SALT, context)
        aggregators = []
        for identity in ("", "agg-1", "Z" * 64):
            k_agg = aggregator_key(k_round, identity)
            aggregators.append(
                {
                    "id": identity,
                    "key": k_agg.hex(),
                    "pseudonym": aggregator_pseudonym(k_agg, identity).hex(),
                    "sites": [
                        {
                            "nmi": nmi,
                            "key": site_key(k_agg, nmi).hex(),
                            "pseudonym": site_pseudonym(site_key(k_agg, nmi), nmi).hex(),
                        }
                        for nmi in AEMO_NMIS[4:8]
                    ],
                }
            )
        cases.append(
            {
                "salt": SALT.hex(),
                "saltDigest": hashlib.sha256(SALT).hexdigest(),
                "chainId": str(chain_id),
                "contract": "0x" + contract.hex(),
                "round": str(number),
                "context": context.hex(),
                "roundKey": k_round.hex(),
                "aggregators": aggregators,
            }
        )
    return {"section": "7", "cases": cases}
