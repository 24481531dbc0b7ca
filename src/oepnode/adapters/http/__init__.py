"""HTTP clients of the sender's gateway, the NMI registry, the relay and workers."""
