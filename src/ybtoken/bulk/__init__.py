"""A day of recorded scans, as Arrow tables and files (extra ``bulk``).

* `run`: files of scans into a folder of verdicts; `sources` reads the files
* `table`: tables of scans into tables of verdicts; `columns` reads the two columns of scans
* `schema`: the columns of a verdict, and the verdicts on rows that hold no scan, such as a null
* `summary`, `counts`, `doubles`, `report`, `plot`: what a settlement officer reads
"""
