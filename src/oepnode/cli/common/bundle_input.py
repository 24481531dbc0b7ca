"""An aggregator's bundle as the input of a command: opened, and checked against its round.

Guarantees: no limits leave here that do not lead to the round's final root, by our verifier and by
pymerkle. Source: design section 6, ``docs/spec/bundle.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

from oepnode.adapters.crypto import hpke as sealing
from oepnode.adapters.crypto import pymerkle_check
from oepnode.cli.common import keypair, output
from oepnode.cli.common.chain import FinalRound, RoundSelector
from oepnode.cli.common.keypair import KeyPair
from oepnode.cli.common.output import hexed
from oepnode.domain.rounds import bundle, merkle
from oepnode.domain.rounds.bundle import BundleError, VerifiedBundle
from oepnode.domain.rounds.context import RoundContext
from oepnode.errors import EvidenceError

CHECKS: Final = bundle.CHECKS | {
    "pymerkle": "pymerkle, a library by other authors, accepts the path as well",
    "portfolio": "every NMI is on your list",
}
_FILE_SIZE: Final = bundle.MAX_SIZE + 256


class BundleFile(Struct, frozen=True):
    """A bundle as it stands in a file, still sealed.

    Attributes:
        context: The round that the file says it is of, or None where it does not say.
        sealed: The bundle.
    """

    context: RoundContext | None
    sealed: bytes

    @property
    def number(self) -> int | None:
        """The round's number, where the file says it."""
        return None if self.context is None else self.context.number


def read(file: Path) -> BundleFile:
    """A file from fetch, or the bare bytes as a worker serves them.

    Raises:
        ConfigError: If it cannot be read.
    """
    data = output.read_file(file, "bundle", _FILE_SIZE)
    return BundleFile(*(bundle.unpack_file(data) or (None, data)))


def open_verified(
    file: Path, key: Path, choice: RoundSelector
) -> tuple[VerifiedBundle, FinalRound]:
    """Open a bundle's file and check it against its round, for commands that use its limits.

    Raises:
        BundleError: With the name of the check that failed.
        ConfigError: If a file or the chain is not named as it must be.
    """
    pair = keypair.load_aggregator(key)
    found = read(file)
    final = choice.final(found.number)
    return verify(found, pair, final), final


def verify(
    found: BundleFile, pair: KeyPair, final: FinalRound, held: set[str] | None = None
) -> VerifiedBundle:
    """Open a bundle, and make all of `CHECKS`.

    Args:
        found: The bundle.
        pair: The aggregator's key.
        final: The round's final result.
        held: All NMIs that the aggregator holds, where it says so.

    Raises:
        BundleError: With the name of the check that failed.
    """
    context = found.context
    if context is not None and context != final.context:
        raise BundleError(
            "context",
            f"the bundle is of round {context.number}, chain {context.chain_id}, contract "
            f"{hexed(context.contract)}; asked for round {final.context.number}, chain "
            f"{final.context.chain_id}, contract {hexed(final.context.contract)}",
        )
    verified = unseal(found.sealed, pair, final)
    foreign = bundle.foreign_nmis(verified, held) if held is not None else []
    if foreign:
        raise BundleError("portfolio", f"{len(foreign)} NMIs of the bundle are not on your list")
    return verified


def unseal(sealed: bytes, pair: KeyPair, final: FinalRound) -> VerifiedBundle:
    """Open a bundle, and check it with our verifier and with pymerkle.

    Raises:
        BundleError: With the name of the check that failed.
    """
    try:
        info = bundle.sealing_info(final.context)
        plaintext = sealing.open_sealed(pair.private_key, sealed, info)
    except EvidenceError as exc:
        raise BundleError("opening", str(exc)) from exc
    verified = bundle.verify(
        plaintext, pair.aggregator_id, final.context, final.root, final.partitions
    )
    leaf = merkle.leaf_hash(verified.partition_entry)
    try:
        pymerkle_check.verify_inclusion(
            leaf, verified.index, final.partitions, verified.path, final.root
        )
    except merkle.InclusionError as exc:
        raise BundleError("pymerkle", str(exc)) from exc
    return verified
