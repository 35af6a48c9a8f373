"""Why a watcher stands where it stands, and when an order has come to its end."""
