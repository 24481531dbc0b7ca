"""A round, from an envelope document to a verified partition, in rules version 1."""
