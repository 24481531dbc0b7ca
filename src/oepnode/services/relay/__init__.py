"""The relay: casts signed ballots for workers without gas money."""
