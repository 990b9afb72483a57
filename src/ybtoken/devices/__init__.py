"""Private keys in hardware. A device's key is a `SigningKey` that verifies every signature before it returns it."""
