"""What Circus 0.19 could be told, and which test shows what becomes of it here."""
