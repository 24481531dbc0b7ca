"""The National Electricity Market: dispatch intervals, NMIs, quantities in integer units."""
