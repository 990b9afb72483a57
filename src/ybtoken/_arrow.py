"""The one place that loads pyarrow (extra ``bulk``)."""

from __future__ import annotations

from typing import Any

try:
    import pyarrow as pa
    import pyarrow.compute
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pq
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "Arrow arrays and bulk runs need pyarrow: pip install 'ybtoken[bulk]'", name="pyarrow"
    ) from error

__all__ = ["pa", "pa_csv", "pc", "pq"]

pc: Any = pyarrow.compute  # its functions are made at run time, where no type checker sees them
