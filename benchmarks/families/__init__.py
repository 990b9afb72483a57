"""The families of figures. To add one: a module here with a function `run(bench)`, and its name in `FAMILIES`.

A family whose extra is not installed raises `AbsentError`, or `ModuleNotFoundError` as it is imported: it is left out,
and the report says why.
"""

FAMILIES = ("p256", "sm2", "native", "passes", "peers", "refusing", "redis", "bulk", "importing")
