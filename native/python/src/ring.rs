//! A prepared key ring, which opens texts.

use std::sync::Arc;

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use ybtoken_engine::claims::{Claims, Value};
use ybtoken_engine::columns::Opened;
use ybtoken_engine::{Code, Limits, Lines, Ring, Texts, open_into, open_one};

use crate::arrow::{ChunkTuple, Chunks};
use crate::columns::PyColumns;
use crate::guard::guarded;
use crate::input::{Objects, with_text};
use crate::threads::Threads;
use crate::times::{Times, mismatched};

/// Keys with their tables, ready to open texts. Several threads may use it at once.
#[pyclass(name = "Ring", module = "ybtoken_native", frozen)]
pub struct PyRing {
    ring: Ring,
    threads: Arc<Threads>,
}

impl PyRing {
    pub fn new(ring: Ring, threads: Arc<Threads>) -> Self {
        Self { ring, threads }
    }

    fn open(
        &self,
        py: Python<'_>,
        texts: &(impl Texts + ?Sized),
        times: Times<'_>,
        limits: Limits,
    ) -> PyResult<PyColumns> {
        let now = times.each_of(texts.len())?;
        let workers = self.threads.workers()?;
        let (columns, result) = PyColumns::fill(py, texts.len(), |memory| {
            open_into(&self.ring, texts, now, limits, memory, &workers)
        })?;
        result.map_err(mismatched)?;
        Ok(columns)
    }

    fn open_buffer(
        &self,
        py: Python<'_>,
        buffer: &[u8],
        times: Times<'_>,
        limits: Limits,
        last: bool,
    ) -> PyResult<(PyColumns, usize)> {
        let lines = py.detach(|| if last { Lines::new(buffer) } else { Lines::whole(buffer) });
        Ok((self.open(py, &lines, times, limits)?, lines.consumed()))
    }
}

#[pymethods]
impl PyRing {
    fn __len__(&self) -> usize {
        self.ring.len()
    }

    /// How much memory the keys' tables take, and how many were built and evicted.
    fn table_stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = self.ring.table_stats();
        let dict = PyDict::new(py);
        dict.set_item("bytes", stats.bytes)?;
        dict.set_item("tables", stats.tables)?;
        dict.set_item("built", stats.built)?;
        dict.set_item("evicted", stats.evicted)?;
        Ok(dict)
    }

    #[pyo3(signature = (text, /, *, now, skew, max_lifetime))]
    fn open_one<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyAny>,
        now: i64,
        skew: i64,
        max_lifetime: i64,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let limits = Limits { skew, max_lifetime };
        let opened = guarded(|| with_text(text, |text| open_one(&self.ring, text, now, limits)))?;
        row(py, &opened)
    }

    #[pyo3(signature = (texts, /, *, now, skew, max_lifetime))]
    fn open_many(
        &self,
        py: Python<'_>,
        texts: &Bound<'_, PyAny>,
        now: &Bound<'_, PyAny>,
        skew: i64,
        max_lifetime: i64,
    ) -> PyResult<PyColumns> {
        let (times, limits) = (Times::of(now)?, Limits { skew, max_lifetime });
        guarded(|| Objects::hold(texts)?.with(py, |slices| self.open(py, slices, times, limits)))
    }

    #[pyo3(signature = (chunks, /, *, now, skew, max_lifetime))]
    fn open_arrow(
        &self,
        py: Python<'_>,
        chunks: Vec<ChunkTuple<'_>>,
        now: &Bound<'_, PyAny>,
        skew: i64,
        max_lifetime: i64,
    ) -> PyResult<PyColumns> {
        let (times, limits) = (Times::of(now)?, Limits { skew, max_lifetime });
        guarded(|| {
            let chunks = Chunks::hold(chunks)?;
            self.open(py, &chunks.slices()?[..], times, limits)
        })
    }

    /// Opens the lines of a buffer; also returns how many bytes of the buffer they occupied.
    #[pyo3(signature = (buffer, /, *, now, skew, max_lifetime, last = true))]
    fn open_lines(
        &self,
        py: Python<'_>,
        buffer: &Bound<'_, PyAny>,
        now: &Bound<'_, PyAny>,
        skew: i64,
        max_lifetime: i64,
        last: bool,
    ) -> PyResult<(PyColumns, usize)> {
        let (times, limits) = (Times::of(now)?, Limits { skew, max_lifetime });
        if let Ok(bytes) = buffer.cast::<PyBytes>() {
            return guarded(|| self.open_buffer(py, bytes.as_bytes(), times, limits, last));
        }
        // Any other buffer is copied first, because it may change while the GIL is released.
        let bytes = PyBuffer::<u8>::get(buffer)?.to_vec(py)?;
        guarded(|| self.open_buffer(py, &bytes, times, limits, last))
    }
}

/// One opened text: code, entry, and the claims, or the kid of an unknown key.
fn row<'py>(py: Python<'py>, opened: &Opened) -> PyResult<Bound<'py, PyTuple>> {
    let Claims { nonce, nonce_size, .. } = &opened.claims;
    let nonce = nonce.get(..(*nonce_size).into()).unwrap_or_default();
    let found = match opened.code {
        _ if opened.profile != 0 => claims_row(py, opened, nonce)?.into_any(),
        Code::KeyUnknown => PyBytes::new(py, nonce).into_any(),
        _ => py.None().into_bound(py),
    };
    (opened.code.number(), opened.entry, found).into_pyobject(py)
}

/// The claims in the order in which `ybtoken` stores them. The last is the device key, which only
/// claims of other profiles have.
fn claims_row<'py>(
    py: Python<'py>,
    opened: &Opened,
    nonce: &[u8],
) -> PyResult<Bound<'py, PyTuple>> {
    const FIXED: usize = 6;
    let claims = &opened.claims;
    let number = |value: u32| {
        let Ok(number) = value.into_pyobject(py);
        number.into_any()
    };
    let bytes = |value: &[u8]| PyBytes::new(py, value).into_any();
    let fixed: [_; FIXED] = [
        number(claims.expires_at),
        number(claims.issued_at),
        bytes(nonce),
        number(opened.profile.into()),
        bytes(&claims.identity_ref),
        number(claims.city),
    ];
    let optional = claims.optional().map(|claim| {
        claim.map(|value| match value {
            Value::Number(value) => number(value),
            Value::Bytes(value) => bytes(&value),
        })
    });
    let mut row: [_; FIXED + Claims::OPTIONAL + 1] = std::array::from_fn(|_| None);
    for (place, value) in row.iter_mut().zip(fixed.map(Some).into_iter().chain(optional)) {
        *place = value;
    }
    PyTuple::new(py, row)
}
