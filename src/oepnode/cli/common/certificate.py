"""Options of commands that verify a round's certificate without a node of the chain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oepnode.client.certificates import CertifiedRound, KnownElectorate, OperatorsNotNamedError
from oepnode.errors import ConfigError

CertificateOption = Annotated[
    Path | None,
    typer.Option(
        "--certificate",
        help="Take the root from this certificate, made by 'audit certify', and not from a node. "
        "Needs --quorum, and --operator or --operators.",
    ),
]
OperatorOption = Annotated[
    list[str] | None,
    typer.Option(
        "--operator",
        metavar="OPERATOR=SIGNER",
        help="A member of the round's electorate and its signer, as you know them; repeat it in "
        "order of index, and write INDEX:OPERATOR=SIGNER after a free index.",
    ),
]
OperatorsOption = Annotated[
    Path | None, typer.Option("--operators", help="File with the same, one a line.")
]
QuorumOption = Annotated[
    int | None,
    typer.Option("--quorum", min=1, help="Quorum of the round's electorate, as you know it."),
]
KnownContractOption = Annotated[
    str | None,
    typer.Option(
        "--contract", envvar="OEPNODE_CONTRACT", help="Address of OepConsensus, as you know it."
    ),
]
KnownChainOption = Annotated[
    int | None,
    typer.Option(
        "--chain-id",
        envvar="OEPNODE_CHAIN_ID",
        min=1,
        help="Chain id that the certificate must be for, as you know it.",
    ),
]


def electorate_of(
    operators: list[str] | None,
    operators_file: Path | None,
    quorum: int | None,
    contract: str | None,
    chain_id: int | None,
) -> KnownElectorate:
    """The electorate that the options name.

    Raises:
        OperatorsNotNamedError: If anything of it is missing.
    """
    if quorum is None or not (operators or operators_file):
        raise OperatorsNotNamedError(
            "a certificate is checked against operators, signers and a quorum that you know"
        )
    if contract is None or chain_id is None:
        raise OperatorsNotNamedError(
            "a certificate is checked against a contract and a chain that you know"
        )
    return KnownElectorate(chain_id, contract, quorum, tuple(operators or ()), operators_file)


def certified(
    certificate: Path | None,
    round_state: Path | None,
    operators: list[str] | None,
    operators_file: Path | None,
    quorum: int | None,
    contract: str | None,
    chain_id: int | None,
) -> CertifiedRound | None:
    """The certificate that the options name, or None.

    Raises:
        ConfigError: If options are missing or contradict each other.
    """
    if certificate is None:
        if operators or operators_file or quorum:
            raise ConfigError("--operator, --operators and --quorum are for --certificate")
        return None
    if round_state is not None:
        raise ConfigError("give either --certificate or --round-state")
    known = electorate_of(operators, operators_file, quorum, contract, chain_id)
    return CertifiedRound(certificate, known)
