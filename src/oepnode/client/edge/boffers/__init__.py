"""Boffers in Python: validated, cleared, drawn, constrained and compared."""
