"""The demo from its first process to its verdict.

Leaves out printing: lines go to a callback. Source: ``docs/operators.md``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from oepnode.demo import play
from oepnode.demo.play import AggregatorReport, PrintLine, Report, RoundReport
from oepnode.demo.revision import revise
from oepnode.demo.stage import Plan, Stage


def run_demo(plan: Plan, rounds: int, print_line: PrintLine) -> Report:
    """Set everything up, play the rounds, and verify and replay them.

    Args:
        plan: Sizes, windows and folder.
        rounds: Number of rounds.
        print_line: Callback for each line (label, line); a heading has an empty label.
    """
    started = time.monotonic()
    report = Report()
    with Stage(plan) as stage:
        _set_up(stage, print_line)
        report.workers = [
            {"name": p.name, "operator": "0x" + p.operator.hex(), "lies": p.is_lying}
            for p in stage.players
        ]
        for index in range(rounds):
            envelope = revise(stage.inputs / "envelope.json", index)
            print_line("", f"Round {index + 1}")
            report.rounds.append(play.play_round(stage, envelope, print_line))
            if plan.blind:
                tokens, seen = play.seen_by_workers(stage)
                report.nmis_seen = (report.nmis_seen or 0) + seen
                print_line("blind", f"the workers saw {tokens} tokens and {seen} NMIs")
        report.without_gas = play.voted_without_gas(stage, report.rounds)
        if report.without_gas:
            print_line("relay", f"{', '.join(report.without_gas)} voted and have no gas")
        _verify(stage, report, print_line)
        report.unassigned_nmis = play.observe(stage, report.rounds)
    report.caught = sorted({name for line in report.rounds for name in line.mismatched})
    report.ok = _is_ok(report, plan)
    report.seconds = round(time.monotonic() - started, 2)
    return report


def _set_up(stage: Stage, print_line: PrintLine) -> None:
    steps: list[tuple[str, Callable[[], str]]] = [
        ("chain", stage.start_chain),
        ("contract", stage.deploy_contract),
        ("sample", stage.make_sample),
        ("services", stage.start_services),
        ("workers", stage.start_workers),
    ]
    if stage.plan.blind:
        steps.insert(3, ("blinding", stage.blind_snapshot))
    for name, step in steps:
        print_line(name, step())


def _verify(stage: Stage, report: Report, print_line: PrintLine) -> None:
    print_line("", "Aggregators and auditor")
    report.aggregators = play.verify_as_aggregators(stage, report.rounds)
    for aggregator in report.aggregators:
        print_line(aggregator.id, _verification(aggregator))
    for line in report.rounds:
        if line.status == "finalised":
            line.replayed = play.replay_as_auditor(stage, line)
            print_line("auditor", _replay(line))


def _verification(aggregator: AggregatorReport) -> str:
    if aggregator.verified:
        found = f", found {aggregator.resolved} NMIs by its tokens" if aggregator.resolved else ""
        return f"verified its {aggregator.sites} sites against the chain{found}"
    return f"not verified: {aggregator.problem or 'no final round'}"


def _replay(line: RoundReport) -> str:
    if line.replayed:
        return f"replayed round {line.round} to the root on chain"
    return f"did not reach the root of round {line.round}"


def _is_ok(report: Report, plan: Plan) -> bool:
    liars = {str(worker["name"]) for worker in report.workers if worker["lies"]}
    return (
        all(line.status == "finalised" and line.replayed for line in report.rounds)
        and all(aggregator.verified for aggregator in report.aggregators)
        and bool(report.aggregators)
        and set(report.caught) == liars
        and len(liars) == plan.byzantine
        and not report.nmis_seen
    )
