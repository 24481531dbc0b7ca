"""Sample data, and a demo that runs all programs on one machine."""
