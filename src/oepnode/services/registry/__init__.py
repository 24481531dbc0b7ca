"""The NMI registry: snapshots and salts for enrolled workers."""
