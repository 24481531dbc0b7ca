"""Journeys of those who run the system: the contract, signed ballots, workers, publishing."""
