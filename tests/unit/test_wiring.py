"""No library that we use leaves the interpreter open to nesting bombs."""

import subprocess
import sys

CHECK = """
import sys
before = sys.getrecursionlimit()
import oepnode.cli.main, oepnode.wiring, web3, eth_account
assert sys.getrecursionlimit() == before, sys.getrecursionlimit()
"""


def test_importing_everything_keeps_the_recursion_limit() -> None:
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
