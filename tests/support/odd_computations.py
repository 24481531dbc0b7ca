"""Computations that a computing process must survive, or not; named as ``module:function``."""

import os
import signal
import sys
import time
from pathlib import Path

from oepnode.domain.documents.progress import Progress
from oepnode.domain.documents.sources import read_all
from oepnode.domain.rounds.computation import Computation, Inputs, compute
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import RoundOpened

MARK = "OEPNODE_TEST_MARK"
"""Names a file that a computation leaves."""


def hungry(
    inputs: Inputs,
    context: RoundContext,
    opened: RoundOpened,
    progress: Progress | None = None,
    **_means: object,
) -> Computation:
    """Needs more memory than there is."""
    held = [bytearray(2**26) for _ in range(2**20)]
    raise AssertionError(len(held))


def sleepy(
    inputs: Inputs,
    context: RoundContext,
    opened: RoundOpened,
    progress: Progress | None = None,
    **_means: object,
) -> Computation:
    """Never ends; leaves its process id."""
    Path(os.environ[MARK]).write_text(str(os.getpid()))
    time.sleep(600)
    raise AssertionError


def killed(
    inputs: Inputs,
    context: RoundContext,
    opened: RoundOpened,
    progress: Progress | None = None,
    **_means: object,
) -> Computation:
    """Is killed as by a system that is short of memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def killed_once(
    inputs: Inputs,
    context: RoundContext,
    opened: RoundOpened,
    progress: Progress | None = None,
    **_means: object,
) -> Computation:
    """Is killed the first time."""
    mark = Path(os.environ[MARK])
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return compute(inputs, context, opened, progress)


def indiscreet(
    inputs: Inputs,
    context: RoundContext,
    opened: RoundOpened,
    progress: Progress | None = None,
    **_means: object,
) -> Computation:
    """Prints and raises what it computes with."""
    print(read_all(inputs.envelope)[:200])
    sys.stdout.flush()
    raise KeyError(inputs.salt.hex())
