"""The NMI registry: serves snapshots and salts to enrolled workers."""
