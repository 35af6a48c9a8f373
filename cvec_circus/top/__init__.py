"""cvec_circus-top: the live state and usage of watchers and their processes."""
