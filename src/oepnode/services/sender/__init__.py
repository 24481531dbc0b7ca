"""The sender's gateway: a DNSP publishes envelopes and opens rounds through it."""
