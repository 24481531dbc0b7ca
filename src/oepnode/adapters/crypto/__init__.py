"""Key files, signatures, HPKE and Merkle proofs by pymerkle."""
