"""Computing of rounds in child processes with a limit on memory and time."""
