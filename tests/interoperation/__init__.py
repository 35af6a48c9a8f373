"""Programs of the published Circus with our daemon, and ours with its daemon."""
