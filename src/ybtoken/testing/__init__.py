"""For tests: keys without security, and the conformance suites that every implementation of a plug point runs.

A suite is a function that takes what is to be tested and raises `AssertionError` where it departs from its protocol.
"""
