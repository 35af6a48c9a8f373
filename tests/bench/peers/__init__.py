"""The supervisors that are measured, each as fast as its own documentation lets it be."""
