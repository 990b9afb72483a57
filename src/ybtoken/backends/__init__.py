"""Signature backends: one module an algorithm. An application imports the one it wants."""
