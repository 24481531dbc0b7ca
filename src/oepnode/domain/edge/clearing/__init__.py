"""Clearing of Boffers at a price, and supply curves."""
