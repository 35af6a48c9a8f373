"""The bundled demonstration."""
