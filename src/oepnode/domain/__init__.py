"""oepnode."""
