"""The two input documents of a round: the envelope document and the registry snapshot."""
