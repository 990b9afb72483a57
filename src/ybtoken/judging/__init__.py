"""From a token whose signatures are good to a verdict."""
