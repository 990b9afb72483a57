"""Engines: they do steps 1 to 7 of verification for one text or for many.

* `protocols`: what an engine must do; `texts`: the forms of texts and times that it gets
* `serial`: the reference engine; `native`: the engine in Rust; `crosscheck`: two engines, compared
* `time_and_scope`: steps 6 (time, with the skew) and 7 (what a key may sign), once for all engines in Python
* `columns`: the outcomes for many texts
"""
