"""A day of recorded scans, as Arrow tables and Parquet files (extra ``bulk``)."""
