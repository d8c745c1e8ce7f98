"""One suite per seam, run for every implementation."""
