"""The script that one would write first: the root of a round with the standard library alone.

json.load, dicts, one hmac a site, struct, hashlib. It checks nothing beyond the types that it needs
and knows one case only: each site once, all with the same intervals, limits of both active kinds.

    python partition_plain.py DOCUMENT REGISTRY
"""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

SALT = bytes(range(32))
CONTEXT = (1).to_bytes(32, "big") + bytes(20) + (1).to_bytes(8, "big")


def hkdf(material: bytes, salt: bytes, info: bytes) -> bytes:
    """RFC 5869, one block."""
    prk = hmac.digest(salt or bytes(32), material, "sha256")
    return hmac.digest(prk, info + b"\x01", "sha256")


def tree_root(hashes: list[bytes]) -> bytes:
    """RFC 9162 root over leaf hashes."""
    while len(hashes) > 1:
        above = [
            hashlib.sha256(b"\x01" + hashes[i] + hashes[i + 1]).digest()
            for i in range(0, len(hashes) - 1, 2)
        ]
        if len(hashes) % 2:
            above.append(hashes[-1])
        hashes = above
    return hashes[0]


def seconds(text: str) -> int:
    """UTC seconds of a text."""
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


def main(document_path: str, registry_path: str) -> tuple[bytes, list[bytes]]:
    """The root of a round, and its leaves."""
    with Path(document_path).open() as file:
        document = json.load(file)
    with Path(registry_path).open() as file:
        registry = json.load(file)
    holders = {item["nmi"]: item["aggregator"] for item in registry["assignments"]}
    round_key = hkdf(SALT, hashlib.sha256(CONTEXT).digest(), b"oep1 round")
    times: dict[str, int] = {}
    partitions: dict[str, list[bytes]] = {}
    keys: dict[str, bytes] = {}
    for record in document:
        nmi: str = record["nmi"]
        limits: dict[int, tuple[int, int]] = {}
        for element in record["operatingEnvelopes"]:
            for interval in element["intervals"]:
                text = interval["diStartTime"]
                start = times.get(text)
                if start is None:
                    start = times[text] = seconds(text)
                exported: Any = interval["activePowerExportLimit"]
                imported: Any = interval["activePowerImportLimit"]
                if type(exported) not in (int, float) or type(imported) not in (int, float):
                    raise TypeError("a limit is not a number")
                limits[start] = round(exported * 1000), round(imported * 1000)
        starts = sorted(limits)
        holder = holders.get(nmi, "")
        if holder not in keys:
            keys[holder] = hkdf(round_key, b"", b"oep1 aggregator" + holder.encode())
        site_key = hmac.digest(keys[holder], b"oep1 site" + nmi.encode(), "sha256")
        name = hashlib.sha256(b"oep1 nmi" + site_key + nmi.encode()).digest()
        objective = record["oeObjectiveFunction"].encode()
        level = ("NMI", "Flex").index(record["oeApplicationLevel"])
        timing = ("PRE", "POST").index(record["oeTiming"])
        entry = (
            b"OEP1\x01" + name + bytes([level, timing, len(objective)]) + objective
            + struct.pack(">QHHB", starts[0], 300, len(starts), 3)
            + struct.pack(f">{len(starts)}i", *[limits[s][0] for s in starts])
            + struct.pack(f">{len(starts)}i", *[limits[s][1] for s in starts])
        )  # fmt: skip
        partitions.setdefault(holder, []).append(entry)
    leaves = []
    for holder, entries in partitions.items():
        entries.sort()
        root = tree_root([hashlib.sha256(b"\x00" + entry).digest() for entry in entries])
        pseudonym = hmac.digest(keys[holder], b"oep1 aggregator" + holder.encode(), "sha256")
        leaves.append(b"OEP1\x02" + pseudonym + root + struct.pack(">I", len(entries)))
    leaves.sort()
    return tree_root([hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves]), leaves


if __name__ == "__main__":
    began, used = time.perf_counter(), time.process_time()
    root, leaves = main(sys.argv[1], sys.argv[2])
    print(
        json.dumps(
            {
                "root": root.hex(),
                "partitions": len(leaves),
                "seconds": time.perf_counter() - began,
                "cpu_seconds": time.process_time() - used,
            }
        )
    )
