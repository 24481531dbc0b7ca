"""The outside, one file each. Foreign exceptions and types stop here."""
