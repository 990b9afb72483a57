//! The columns of a batch as Python `bytes`, filled in place.

#![allow(unsafe_code, reason = "new bytes objects are filled before anyone sees them; see there")]

use std::slice::from_raw_parts_mut;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ybtoken_engine::columns::{Columns, ColumnsMut};
use ybtoken_engine::optional_claims;

/// The columns of an opened batch: little-endian numbers or bytes, one row for each text.
#[pyclass(name = "Columns", module = "ybtoken_native", frozen)]
pub struct PyColumns {
    rows: usize,
    columns: Vec<Py<PyBytes>>,
}

impl PyColumns {
    /// Makes columns of `rows` rows, which `fill` writes without the GIL.
    pub fn fill<R: Send>(
        py: Python<'_>,
        rows: usize,
        fill: impl FnOnce(ColumnsMut<'_>) -> R + Send,
    ) -> PyResult<(Self, R)> {
        let zeros = |&(_, width): &(&str, usize)| {
            PyBytes::new_with(py, rows * width, |_| Ok(())).map(Bound::unbind)
        };
        let columns: Vec<_> = Columns::LAYOUT.iter().map(zeros).collect::<PyResult<_>>()?;
        let slices = columns.iter().map(|column| {
            let bytes = column.bind(py).as_bytes();
            // SAFETY: the object was made above with memory of its own, and nothing else refers to
            // it until this function returns; the slices end with `fill`. (The empty `bytes` object
            // is shared, but nothing is written to it.)
            unsafe { from_raw_parts_mut(bytes.as_ptr().cast_mut(), bytes.len()) }
        });
        let Some(memory) = ColumnsMut::from_slices(rows, slices) else {
            unreachable!("made to the layout")
        };
        let result = py.detach(|| fill(memory));
        Ok((Self { rows, columns }, result))
    }

    fn column(&self, py: Python<'_>, name: &str) -> Option<Py<PyBytes>> {
        let at = Columns::LAYOUT.iter().position(|&(other, _)| other == name)?;
        self.columns.get(at).map(|column| column.clone_ref(py))
    }
}

macro_rules! getters {
    ($($name:ident)*) => {
        #[pymethods]
        impl PyColumns {
            fn __len__(&self) -> usize {
                self.rows
            }

            $(#[getter]
            fn $name(&self, py: Python<'_>) -> Option<Py<PyBytes>> {
                self.column(py, stringify!($name))
            })*
        }
    };
}

macro_rules! all_getters {
    ($($label:literal $claim:ident: $type:ty, $bound:expr, $column:ident;)*) => {
        getters! {
            codes entries issued_at expires_at cities profiles nonce_sizes nonces identity_refs
            present $($column)*
        }
    };
}

optional_claims!(all_getters);
