"""What processes write: where it goes, and what of it is kept."""
