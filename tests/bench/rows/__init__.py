"""What is measured, in the order of the table."""
