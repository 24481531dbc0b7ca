"""Reference services over HTTP: the sender's gateway, the NMI registry and the relay."""
