"""From a configuration to what runs: plans, and how they are carried out."""
