"""Reference services over HTTP: the sender's gateway and the NMI registry."""
