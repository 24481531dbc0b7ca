"""Read-only HTTP views of a worker."""
