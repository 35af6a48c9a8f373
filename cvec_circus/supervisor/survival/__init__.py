"""What outlives the daemon: the ledger, adoption, and an upgrade in place."""
