"""For tests: keys without security, and a conformance suite for every plug point.

A suite is a function. It takes an implementation and raises `AssertionError` if that departs from its protocol.
"""
