"""A demo's chain, services and workers in processes that may open 1,024 files each.

    python -m benchmarks.flood_world FOLDER

Prints a line of JSON with the addresses once all run. Then, for each line that it reads, it
publishes the sample's envelope, and prints the round; for a number, the round's phase. It ends with
its input. In a process of its own, since a lowered limit cannot be raised again.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from oepnode.demo.stage import Plan, Stage

OPEN_FILES = 1024
WINDOW_S = 120


def main(folder: str) -> None:
    """Run the world until the input ends."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    plan = Plan(Path(folder), workers=4, nmis=200, vote_window_s=WINDOW_S, reveal_window_s=WINDOW_S)
    with Stage(plan) as stage:
        stage.start_chain()
        stage.deploy_contract()
        stage.make_sample()
        stage.start_services()
        stage.start_workers()
        urls = {"registry": stage.registry_url, "sender": stage.sender_url}
        urls |= {player.name: player.url for player in stage.players}
        facts = {"contract": stage.contract, "registry_digest": stage.registry_digest}
        _print({"urls": urls, **facts})
        for line in sys.stdin:
            if line.strip() == "publish":
                _print({"round": stage.publish(_envelope(stage))})
            else:
                words = ["audit", "round", line.strip(), *stage.chain_options, "--json"]
                _print({"report": stage.attempt(*words)[1]})


def _envelope(stage: Stage) -> Path:
    return next(iter(sorted(stage.inputs.glob("envelope*.json"))))


def _print(value: object) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
