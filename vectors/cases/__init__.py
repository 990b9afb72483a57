"""One module a family of cases. A module has ``ABOUT``, one paragraph, and ``cases()``, which yields the cases in order."""
