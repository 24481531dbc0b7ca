"""Findings on a submission, their causes, and the two acknowledgements."""
