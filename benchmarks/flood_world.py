"""A demo's chain, services and workers in processes that may open 1,024 files each.

    python -m benchmarks.flood_world FOLDER

A relay casts the ballots; all workers but the first have no gas money. Prints a line of JSON with
the addresses once all run. Then, for each line that it reads: for ``publish`` it publishes the
sample's envelope, and prints the round, or the error; for a number, the round's phase. It ends with
its input. In a process of its own, since a lowered limit cannot be raised again.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from oepnode.demo.stage import Plan, Stage
from oepnode.errors import TransportError

OPEN_FILES = 1024
WINDOW_S = 120


def main(folder: str) -> None:
    """Run the world until the input ends."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    plan = Plan(
        Path(folder),
        workers=4,
        nmis=200,
        vote_window_s=WINDOW_S,
        reveal_window_s=WINDOW_S,
        relay=True,
    )
    with Stage(plan) as stage:
        stage.start_chain()
        stage.deploy_contract()
        stage.make_sample()
        stage.start_services()
        stage.start_workers()
        urls = {"registry": stage.registry_url, "sender": stage.sender_url}
        urls["relay"] = stage.relay_url
        urls |= {player.name: player.url for player in stage.players}
        facts = {"contract": stage.contract, "registry_digest": stage.registry_digest}
        _print({"urls": urls, **facts})
        for line in sys.stdin:
            if line.strip() == "publish":
                _print(_publish(stage))
            else:
                words = ["audit", "round", line.strip(), *stage.chain_options, "--json"]
                _print({"report": stage.attempt(*words)[1]})


def _publish(stage: Stage) -> dict[str, object]:
    try:
        return {"round": stage.publish(_envelope(stage))}
    except TransportError as exc:
        return {"error": str(exc)}


def _envelope(stage: Stage) -> Path:
    summary = json.loads((stage.inputs / "sample.json").read_text("utf-8"))
    return stage.inputs / str(summary["envelope_file"])


def _print(value: object) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
