"""``oepnode demo`` as a user runs it, in a process of its own."""

import subprocess
import sys

_GIVE_UP_S = 300
_STOP_S = 60


def run_demo(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a demo to its end; an interrupted test leaves none of its processes behind."""
    command = [sys.executable, "-m", "oepnode", "demo", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        try:
            output, errors = demo.communicate(timeout=_GIVE_UP_S)
        except BaseException:
            demo.terminate()  # it stops what it has started; killed, it could not
            demo.communicate(timeout=_STOP_S)
            raise
    return subprocess.CompletedProcess(command, demo.returncode, output, errors)
