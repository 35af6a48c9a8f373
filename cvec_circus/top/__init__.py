"""cvec_circus-top: what the watchers and their processes do and use, as it changes."""
