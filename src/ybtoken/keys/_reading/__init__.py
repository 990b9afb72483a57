"""How keys are spelled, one module for each layer: text, DER, the structures in DER, encryption under a passphrase."""
