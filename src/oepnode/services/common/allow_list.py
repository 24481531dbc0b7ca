"""The operators whose workers a service admits, from its own settings.

Guarantees: an operator that is not listed here gets nothing, whatever a node of the chain says. An
entry may fix the operator's signer as well; then a node cannot name another one for it.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from oepnode.config import NODES_WITHOUT_LIST, RegistrySettings, SenderSettings
from oepnode.domain.rounds.onchain import Member, parse_address
from oepnode.services.common.http import Rejection

_log = structlog.get_logger(__name__)


class AllowList:
    """Operators with their signers.

    Args:
        operators: Setting ``operators``; without entries every member of the contract is admitted.
    """

    def __init__(self, operators: Iterable[str] = ()) -> None:
        pairs = (entry.partition("=") for entry in operators)
        self._signers = {
            parse_address(operator): parse_address(signer) if signer else None
            for operator, _, signer in pairs
        }

    def check(self, member: Member) -> None:
        """Check a member of the contract.

        Raises:
            Rejection: 403 if its operator is not listed, or is listed with another signer.
        """
        if not self._signers:
            return
        if member.operator not in self._signers:
            raise Rejection(
                403,
                "operator.not_listed",
                f"operator 0x{member.operator.hex()} is not in this service's setting operators; "
                "ask who runs the service to add it",
            )
        signer = self._signers[member.operator]
        if signer is not None and signer != member.signer:
            raise Rejection(
                403,
                "operator.other_signer",
                f"this service's setting operators has another signer for operator "
                f"0x{member.operator.hex()}; ask who runs the service to change it",
            )


def allow_list_of(settings: SenderSettings | RegistrySettings) -> AllowList:
    """The list of a service's settings; warns where one node could name a stranger as signer."""
    without_signer = [entry for entry in settings.operators if "=" not in entry]
    if without_signer and len(settings.chain.rpc_urls) < NODES_WITHOUT_LIST:
        _log.warning(
            "operators_without_signer",
            operators=without_signer,
            fix="write OPERATOR=SIGNER, or compare three nodes (chain.rpc_urls)",
        )
    return AllowList(settings.operators)
