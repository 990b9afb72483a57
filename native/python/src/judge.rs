//! Steps 6 and 7 in columns.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ybtoken_engine::judge::{Judged, Moment, Now, Scope, judge};

use crate::columns::filled;
use crate::engine::PyEngine;
use crate::guard::guarded;

/// Not before, not after, withdrawn since, places.
type ScopeTuple = (i64, i64, Option<i64>, Vec<(u32, u32)>);

/// One time for all rows, or a column of them.
#[derive(FromPyObject)]
enum Times<'py> {
    Same(i64),
    Each(Bound<'py, PyBytes>),
}

/// What the keys of a ring may sign for, in the order of its entries.
#[pyclass(name = "Scopes", module = "ybtoken_native", frozen)]
pub struct PyScopes {
    scopes: Vec<Scope>,
}

#[pymethods]
impl PyScopes {
    #[new]
    #[pyo3(signature = (scopes, /))]
    fn new(scopes: Vec<ScopeTuple>) -> PyResult<Self> {
        let made = scopes.into_iter().enumerate().map(
            |(at, (not_before, not_after, withdrawn_since, places))| {
                Scope::new(not_before, not_after, withdrawn_since, places).ok_or_else(|| {
                    PyValueError::new_err(format!(
                        "scope {at}: places are ascending, disjoint ranges [from, to)"
                    ))
                })
            },
        );
        Ok(Self { scopes: made.collect::<PyResult<_>>()? })
    }

    fn __len__(&self) -> usize {
        self.scopes.len()
    }

    /// The codes of the batch after judging its time and scopes.
    #[pyo3(signature = (engine, code, entry, iat, exp, city, *, now, skew, max_lifetime))]
    #[allow(clippy::too_many_arguments, reason = "five columns and three numbers, named in Python")]
    fn judge<'py>(
        &self,
        py: Python<'py>,
        engine: &PyEngine,
        code: &Bound<'py, PyBytes>,
        entry: &Bound<'py, PyBytes>,
        iat: &Bound<'py, PyBytes>,
        exp: &Bound<'py, PyBytes>,
        city: &Bound<'py, PyBytes>,
        now: Times<'py>,
        skew: i64,
        max_lifetime: i64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let columns = Judged {
            entry: column(entry)?,
            iat: column(iat)?,
            exp: column(exp)?,
            city: column(city)?,
        };
        let before = code.as_bytes();
        let moment = Moment {
            now: match &now {
                Times::Same(now) => Now::Same(*now),
                Times::Each(column_of_times) => Now::Each(column(column_of_times)?),
            },
            skew,
            max_lifetime,
        };
        let workers = engine.workers()?;
        guarded(|| {
            filled(py, before.len(), |code| {
                code.copy_from_slice(before);
                let judged = py.detach(|| judge(code, columns, &self.scopes, moment, &workers));
                judged.map_err(|_| {
                    PyValueError::new_err("columns of other lengths, or an entry without a scope")
                })
            })
        })
    }
}

fn column<'a, const N: usize>(bytes: &'a Bound<'_, PyBytes>) -> PyResult<&'a [[u8; N]]> {
    match bytes.as_bytes().as_chunks() {
        (rows, []) => Ok(rows),
        _ => Err(PyValueError::new_err(format!(
            "a column of rows of {N} bytes is not cut within one"
        ))),
    }
}
