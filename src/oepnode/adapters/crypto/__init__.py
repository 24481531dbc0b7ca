"""Keys, signatures and HPKE."""
