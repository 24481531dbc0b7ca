"""The gateway through which a DNSP publishes envelopes and opens rounds."""
