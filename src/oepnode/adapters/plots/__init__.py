"""Pictures of envelopes and supply curves, with matplotlib."""
