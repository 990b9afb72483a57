"""Private keys in hardware. A device's key is a `SigningKey`, and verifies every signature before it leaves."""
