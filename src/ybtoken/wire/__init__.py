"""The bytes of format 1 and their spelling in digits: no keys, no clock (Spec 2)."""
