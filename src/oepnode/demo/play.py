"""Plays the demo's rounds: publishes, watches the chain, verifies, replays.

Guarantees: every reported fact is read from the chain or from the output of public commands; liars
are identified by their votes.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field

from oepnode.adapters.http.probe import get
from oepnode.demo.stage import Player, Stage, reason_name
from oepnode.domain.nem.tokens import SiteIdKind, kind_of
from oepnode.domain.rounds import onchain
from oepnode.domain.rounds.onchain import Phase, Round
from oepnode.errors import TransportError
from oepnode.ports import ChainReader
from oepnode.wiring import chain_reader

_LOOK_S: Final = 0.3
_DELIVERY_S: Final = 60.0

PrintLine = Callable[[str, str], None]
"""Prints a label and a line."""


class RoundReport(Struct):
    """A round of the demo; members by name. Those in ``granted`` got every input, by the lists."""

    round: int
    status: str
    root: str
    quorum: int
    members: int
    matched: list[str]
    mismatched: list[str]
    abstained: list[str]
    silent: list[str]
    reasons: dict[str, str]
    seconds: float
    replayed: bool = False
    granted: list[str] = field(default_factory=list)


class AggregatorReport(Struct):
    """An aggregator: the number of verified rounds, and the sites of the last one.

    ``resolved`` counts the NMIs that it found by its token list, in blind mode.
    """

    id: str
    verified: bool
    sites: int
    rounds: int
    problem: str = ""
    resolved: int = 0


class Report(Struct):
    """Result of a demo; ``nmis_seen`` is the number of NMIs that workers saw in blind mode."""

    ok: bool = False
    rounds: list[RoundReport] = field(default_factory=list)
    aggregators: list[AggregatorReport] = field(default_factory=list)
    unassigned_nmis: int | None = None
    workers: list[dict[str, object]] = field(default_factory=list)
    caught: list[str] = field(default_factory=list)
    without_gas: list[str] = field(default_factory=list)
    nmis_seen: int | None = None
    seconds: float = 0.0


def play_round(stage: Stage, envelope: Path, print_line: PrintLine) -> RoundReport:
    """Publish a document and watch its round until it has ended."""
    started = time.monotonic()
    number = stage.publish(envelope)
    return asyncio.run(_watch(stage, number, started, print_line))


async def _watch(stage: Stage, number: int, started: float, print_line: PrintLine) -> RoundReport:
    async with chain_reader(stage.chain_settings) as chain:
        shown_events = 0
        while True:
            state = await chain.round(number)
            events = await chain.round_events(number)
            for event in events[shown_events:]:
                print_line(f"{time.monotonic() - started:5.1f} s", _line(stage.players, event))
            shown_events = len(events)
            if state is not None and state.phase.is_over:
                break
            await asyncio.sleep(_LOOK_S)
        return await _report(stage, chain, state, time.monotonic() - started)


def _line(players: list[Player], event: onchain.Event) -> str:
    names = {player.operator: player.name for player in players}
    match event:
        case onchain.RoundOpened(interval_count=count):
            return f"round opened for {count} intervals"
        case onchain.BallotCast(operator=operator):
            return f"{names[operator]} cast a blind ballot"
        case onchain.Abstained(operator=operator, reason=reason):
            return f"{names[operator]} abstained: {reason_name(reason)}"
        case onchain.RootRevealed(root=root, matched=matched):
            return f"root {root.hex()[:16]}… revealed, {matched.bit_count()} ballots match"
        case onchain.RoundFinalised():
            return "root final"
        case onchain.RoundFailed():
            return "round failed: no quorum"
        case _:
            return "round cancelled"


async def _report(stage: Stage, chain: ChainReader, state: Round, seconds: float) -> RoundReport:
    names = {player.operator: player.name for player in stage.players}
    electorate = await chain.electorate(state.epoch)
    reasons = {
        names[event.operator]: reason_name(event.reason)
        for event in await chain.round_events(state.number)
        if isinstance(event, onchain.Abstained)
    }
    voted = [names[member.operator] for member in electorate.by_index(state.voted)]
    matched = [names[member.operator] for member in electorate.by_index(state.matched)]
    return RoundReport(
        round=state.number,
        status="finalised" if state.phase == Phase.FINAL else state.phase.name.lower(),
        root=state.root.hex(),
        quorum=state.quorum,
        members=state.member_count,
        matched=matched,
        mismatched=[n for n in voted if n not in matched and n not in reasons],
        abstained=list(reasons),
        silent=[names[m.operator] for m in electorate.members if names[m.operator] not in voted],
        reasons=reasons,
        seconds=round(seconds, 2),
    )


def seen_by_workers(stage: Stage) -> tuple[int, int]:
    """Numbers of tokens and of NMIs in the newest document that the sender serves to workers."""
    documents = stage.plan.folder / "sender" / "data" / "documents"
    newest = max(documents.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    site_ids = {str(record["nmi"]) for record in json.loads(newest.read_bytes())}
    tokens = sum(kind_of(site_id) is SiteIdKind.TOKEN for site_id in site_ids)
    return tokens, len(site_ids) - tokens


def voted_without_gas(stage: Stage, rounds: list[RoundReport]) -> list[str]:
    """Names of the workers that voted in every round although their signers have no balance."""
    voted = [{*report.matched, *report.mismatched} for report in rounds]
    return [name for name in stage.without_gas() if all(name in names for names in voted)]


def verify_as_aggregators(stage: Stage, rounds: list[RoundReport]) -> list[AggregatorReport]:
    """Fetch and verify every aggregator's partition of every final round, by its commands."""
    final = [report.round for report in rounds if report.status == "finalised"]
    reports = []
    for key in sorted((stage.inputs / "keys").glob("*.key.json")):
        name = json.loads(key.read_text("utf-8"))["aggregator"]
        report = AggregatorReport(name, verified=bool(final), sites=0, rounds=0)
        for number in final:
            _verify(stage, key, number, report)
        reports.append(report)
    return reports


def _verify(stage: Stage, key: Path, number: int, report: AggregatorReport) -> None:
    bundle = stage.plan.folder / "aggregators" / f"{report.id}-{number}.bundle"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    chain, own = stage.chain_options, ["--key", str(key)]
    fetch = (
        "aggregator",
        "fetch",
        "--round",
        str(number),
        "--out",
        str(bundle),
        "--allow-private",
        *chain,
        *own,
    )
    code, _, errors = stage.attempt(*fetch, "--json")
    deadline = time.monotonic() + _DELIVERY_S
    while code != 0 and time.monotonic() < deadline:
        time.sleep(1)  # the workers may still be sealing
        code, _, errors = stage.attempt(*fetch, "--json")
    value = None
    if code == 0:
        tokens = ["--tokens", stage.registry_url] if stage.plan.blind else []
        code, value, errors = stage.attempt(
            "aggregator", "verify", str(bundle), *chain, *own, *tokens, "--json"
        )
    if code != 0 or value is None:
        report.verified = False
        report.problem = errors.strip().splitlines()[-1] if errors.strip() else f"exit {code}"
        return
    report.rounds += 1
    report.sites = int(value["sites"])
    if stage.plan.blind:
        report.resolved = int(value["nmis"]) - int(value["unknown_tokens"])


def replay_as_auditor(stage: Stage, report: RoundReport) -> bool:
    """Replay a final round from a worker's sealed inputs, by the auditor's command."""
    for player in stage.players:
        archive = stage.worker_folder(player) / "data" / "archive" / f"round-{report.round}.sealed"
        if player.name in report.matched and archive.is_file():
            words = ("--archive", str(archive), "--key", str(stage.auditor_key), "--json")
            code, _, _ = stage.attempt(
                "audit", "replay", str(report.round), *words, *stage.chain_options
            )
            return code == 0
    return False


def observe(stage: Stage, rounds: list[RoundReport]) -> int | None:
    """Store what can be observed; returns an honest worker's number of unassigned NMIs."""
    folder = stage.plan.folder / "observed"
    folder.mkdir(parents=True, exist_ok=True)
    name_of = {"0x" + player.operator.hex(): player.name for player in stage.players}
    for report in rounds:
        words = ("audit", "round", str(report.round), "--json", *stage.chain_options)
        _, state, _ = stage.attempt(*words, *stage.grant_options)
        report.granted = [
            name_of[m["operator"]] for m in state["members"] if m["inputs"] == "granted"
        ]
        (folder / f"round-{report.round}.json").write_text(json.dumps(state), "utf-8")
    unassigned = None
    for player in stage.players:
        for name, path in (("html", "/"), ("json", "/v1/status"), ("metrics", "/metrics")):
            with suppress(TransportError):
                (folder / f"{player.name}.{name}").write_bytes(get(player.status_url + path, 10))
        status = folder / f"{player.name}.json"
        if not player.is_lying and status.is_file():
            lines = json.loads(status.read_text("utf-8"))["rounds"]
            counts = [line["unassigned_nmis"] for line in lines]
            unassigned = next((count for count in counts if count is not None), unassigned)
    for name, url in stage.service_status_urls.items():
        with suppress(TransportError):
            (folder / f"{name}.metrics").write_bytes(get(url + "/metrics", 10))
    (folder / "chain.json").write_text(json.dumps(_whole_chain(stage)), "utf-8")
    return unassigned


def _whole_chain(stage: Stage) -> list[Any]:
    """Every block with its transactions, and every log."""
    rpc = stage.devnet.rpc
    last = int(rpc("eth_blockNumber"), 16)
    blocks = [rpc("eth_getBlockByNumber", hex(number), True) for number in range(last + 1)]
    full = [block for block in blocks if block["transactions"]]
    return [full, rpc("eth_getLogs", {"fromBlock": "0x0", "toBlock": hex(last)})]
