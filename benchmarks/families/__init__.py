"""The families of figures. To add one, write a module with a function `run(bench)`, and add its name to `FAMILIES`.

A family whose extra is not installed raises `AbsentError`, or `ModuleNotFoundError` when it is imported. It is then
left out, and the report says why.
"""

FAMILIES = (
    "p256",
    "sm2",
    "native",
    "passes",
    "peers",
    "refusing",
    "redis",
    "sqlite",
    "gateway",
    "bulk",
    "scans",
    "importing",
)
