"""Read-only HTTP pages of a worker."""
