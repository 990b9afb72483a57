"""Benchmarks: `python -m benchmarks` measures and reports; `pytest benchmarks` runs each piece once, untimed."""
