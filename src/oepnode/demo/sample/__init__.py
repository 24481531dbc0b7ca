"""Sample inputs of a round from a seed: envelope document, registry snapshot, salt and keys."""
