"""Puts small errors into the contracts, and reports those that no test notices.

    scripts/mutate-contracts [--sample N] [--seed N] [--jobs N] [--file NAME] [--list]

Exit 1 where a mutant survives that contracts/accepted-mutants.toml does not accept with a reason,
2 where the tests fail without a mutant or the list is out of date. A sample of 20 takes some
minutes; without --sample all mutants are tried, which takes hours. The same seed gives the same
sample as long as the sources are the same.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue

from tests.mutation import operators
from tests.mutation.accepted import Accepted, ListError
from tests.mutation.operators import Mutant
from tests.mutation.source import Source
from tests.mutation.workshop import CONTRACTS, SOURCES, BaselineError, Verdict, Workshop

ACCEPTED = CONTRACTS / "accepted-mutants.toml"


def read_sources() -> list[Source]:
    """The contracts' sources with code; an interface has none."""
    paths = sorted(path for path in SOURCES.glob("*.sol") if not path.name.startswith("I"))
    return [Source(path.name, path.read_text("utf-8")) for path in paths]


def choose(mutants: Sequence[Mutant], count: int | None, seed: int) -> list[Mutant]:
    """A sample in the order of places; all mutants where there is no count."""
    if count is None or count >= len(mutants):
        return list(mutants)
    return sorted(random.Random(seed).sample(mutants, count))


def verdicts(chosen: Sequence[Mutant], folder: Path, jobs: int) -> Iterator[tuple[Mutant, Verdict]]:
    """Each mutant with what became of it, as they end."""
    first = Workshop.set_up(folder / "0")
    free: SimpleQueue[Workshop] = SimpleQueue()
    free.put(first)
    for number in range(1, jobs):
        free.put(first.copy(folder / str(number)))

    def judge(mutant: Mutant) -> tuple[Mutant, Verdict]:
        workshop = free.get()
        try:
            return mutant, workshop.judge(mutant)
        finally:
            free.put(workshop)

    with ThreadPoolExecutor(jobs) as pool:
        for done in as_completed([pool.submit(judge, mutant) for mutant in chosen]):
            yield done.result()


def show(mutant: Mutant, verdict: str) -> None:
    """Print a mutant: file, line and both texts."""
    place = f"contracts/src/{mutant.file}:{mutant.line}"
    print(f"{verdict}: {place} ({mutant.kind})\n  - {mutant.original}\n  + {mutant.changed}")
    sys.stdout.flush()


def test(chosen: Sequence[Mutant], accepted: Accepted, jobs: int) -> int:
    """Try the mutants and print what survives; the exit code."""
    counts: Counter[str] = Counter()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for number, (mutant, verdict) in enumerate(verdicts(chosen, Path(folder), jobs), 1):
            reason = accepted.reason(mutant) if verdict is Verdict.SURVIVED else None
            counts["accepted" if reason else verdict] += 1
            if verdict is Verdict.SURVIVED:
                show(mutant, f"accepted, {reason}" if reason else "SURVIVED")
            if not number % 10:
                print(f"{number} of {len(chosen)}: {time.monotonic() - began:.0f} s", flush=True)
    named = ("killed", "survived", "accepted", "discarded")
    print(f"{len(chosen)} mutants: " + ", ".join(f"{counts[name]} {name}" for name in named))
    return 1 if counts["survived"] else 0


def main() -> int:
    """Run the script; the exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/mutate-contracts", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--sample", type=int, metavar="N", help="how many mutants; all by default")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time")
    parser.add_argument("--file", metavar="NAME", help="only mutants of this source")
    parser.add_argument("--list", action="store_true", help="print the mutants and try none")
    options = parser.parse_args()
    every = operators.of_all(read_sources())
    try:
        accepted = Accepted.read(ACCEPTED)
        accepted.require_current(every)
        chosen = choose(
            [mutant for mutant in every if options.file in (None, mutant.file)],
            options.sample,
            options.seed,
        )
        if options.list:
            for mutant in chosen:
                show(mutant, "mutant")
            return 0
        return test(chosen, accepted, options.jobs)
    except (BaselineError, ListError) as error:
        print(f"mutate-contracts: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
