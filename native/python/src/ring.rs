//! A prepared key ring: opens texts.

use std::sync::Arc;

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use ybtoken_engine::claims::present;
use ybtoken_engine::columns::Opened;
use ybtoken_engine::{Code, Lines, Ring, Texts as _, open_into, open_one};

use crate::columns::PyColumns;

use crate::guard::guarded;
use crate::input::{Texts, with_text};
use crate::threads::Threads;

/// Keys with their tables, ready to open texts; may be used from many threads at once.
#[pyclass(name = "Ring", module = "ybtoken_native", frozen)]
pub struct PyRing {
    ring: Ring,
    threads: Arc<Threads>,
}

impl PyRing {
    pub fn new(ring: Ring, threads: Arc<Threads>) -> Self {
        Self { ring, threads }
    }

    fn open_lines_of(
        &self,
        py: Python<'_>,
        buffer: &[u8],
        last: bool,
    ) -> PyResult<(PyColumns, usize)> {
        let lines = py.detach(|| if last { Lines::new(buffer) } else { Lines::whole(buffer) });
        let workers = self.threads.workers()?;
        let consumed = lines.consumed();
        let columns = PyColumns::fill(py, lines.len(), |memory| {
            open_into(&self.ring, &lines, memory, &workers)
        })?;
        Ok((columns, consumed))
    }
}

#[pymethods]
impl PyRing {
    fn __len__(&self) -> usize {
        self.ring.len()
    }

    /// What the keys' tables take, and how many were built and evicted.
    fn table_stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = self.ring.table_stats();
        let dict = PyDict::new(py);
        dict.set_item("bytes", stats.bytes)?;
        dict.set_item("tables", stats.tables)?;
        dict.set_item("built", stats.built)?;
        dict.set_item("evicted", stats.evicted)?;
        Ok(dict)
    }

    #[pyo3(signature = (text, /))]
    fn open_one<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let opened = guarded(|| with_text(text, |text| open_one(&self.ring, text)))?;
        row(py, &opened)
    }

    #[pyo3(signature = (texts, /))]
    fn open_many(&self, py: Python<'_>, texts: &Bound<'_, PyAny>) -> PyResult<PyColumns> {
        let workers = self.threads.workers()?;
        guarded(|| {
            Texts::hold(texts)?.with(py, |slices| {
                PyColumns::fill(py, slices.len(), |memory| {
                    open_into(&self.ring, slices, memory, &workers)
                })
            })
        })
    }

    /// Opens the lines of a buffer; tells how many of its bytes they took up.
    #[pyo3(signature = (buffer, /, *, last = true))]
    fn open_lines(
        &self,
        py: Python<'_>,
        buffer: &Bound<'_, PyAny>,
        last: bool,
    ) -> PyResult<(PyColumns, usize)> {
        if let Ok(bytes) = buffer.cast::<PyBytes>() {
            return guarded(|| self.open_lines_of(py, bytes.as_bytes(), last));
        }
        // Memory that may be written to while the GIL is not held is copied first.
        let bytes = PyBuffer::<u8>::get(buffer)?.to_vec(py)?;
        guarded(|| self.open_lines_of(py, &bytes, last))
    }
}

/// One opened text: code, entry, and the claims in the order in which `ybtoken` holds them; of an
/// unknown key, its kid.
fn row<'py>(py: Python<'py>, opened: &Opened) -> PyResult<Bound<'py, PyTuple>> {
    let Opened { code, entry, claims, .. } = opened;
    let nonce = claims.nonce.get(..claims.nonce_len.into()).unwrap_or_default();
    let third = match code {
        Code::Accepted => claims_row(py, opened, nonce)?.into_any(),
        Code::KeyUnknown => PyBytes::new(py, nonce).into_any(),
        _ => py.None().into_bound(py),
    };
    (code.number(), *entry, third).into_pyobject(py)
}

fn claims_row<'py>(
    py: Python<'py>,
    opened: &Opened,
    nonce: &[u8],
) -> PyResult<Bound<'py, PyTuple>> {
    let Opened { profile, claims, .. } = opened;
    let number = |value: u32| value.into_pyobject(py).map(Bound::into_any);
    let bytes = |value: &[u8]| PyBytes::new(py, value).into_any();
    let none = || py.None().into_bound(py);
    let there = |bit| claims.present & bit != 0;
    let extra = |bit, value: u32| {
        if there(bit) { number(value) } else { Ok(none()) }
    };
    let presenter = if there(present::PRESENTER) { bytes(&claims.presenter) } else { none() };
    PyTuple::new(
        py,
        [
            number(claims.exp)?,
            number(claims.iat)?,
            bytes(nonce),
            number(u32::from(*profile))?,
            bytes(&claims.identity),
            number(claims.city)?,
            extra(present::CHANNEL, claims.channel.into())?,
            extra(present::PURPOSE, claims.purpose)?,
            presenter,
            extra(present::ASSURANCE, claims.assurance.into())?,
            extra(present::STATUS_INDEX, claims.status_index)?,
            none(),
        ],
    )
}
