//! The engine: how to compute, and with how many threads.

use std::sync::{Arc, OnceLock};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use ybtoken_engine::{Key, Path, Ring, Scope, Verifier};

use crate::guard::guarded;
use crate::ring::PyRing;
use crate::threads::Threads;

/// Raw protected header, x, y, SM2 user id, window, not before, not after, withdrawn since, places.
type KeyTuple = (Vec<u8>, [u8; 32], [u8; 32], Vec<u8>, u32, i64, i64, Option<i64>, Vec<(u32, u32)>);

/// How to compute, and with how many threads.
#[pyclass(name = "Engine", module = "ybtoken_native", frozen)]
pub struct PyEngine {
    verifier: Arc<Verifier>,
    threads: Arc<Threads>,
}

#[pymethods]
impl PyEngine {
    #[new]
    #[pyo3(signature = (*, threads = 1, path = None))]
    fn new(threads: usize, path: Option<&str>) -> PyResult<Self> {
        if !(1..=1024).contains(&threads) {
            return Err(PyValueError::new_err(format!("threads are 1 to 1024, not {threads}")));
        }
        guarded(|| {
            Ok(Self { verifier: verifier(path)?, threads: Arc::new(Threads::new(threads)?) })
        })
    }

    #[getter]
    fn threads(&self) -> usize {
        self.threads.count()
    }

    /// The path that signatures are verified on.
    #[getter]
    fn path(&self) -> &'static str {
        self.verifier.path().name()
    }

    #[pyo3(signature = (keys, *, table_bytes = Ring::TABLE_BYTES))]
    fn prepare(&self, py: Python<'_>, keys: Vec<KeyTuple>, table_bytes: usize) -> PyResult<PyRing> {
        let keys = keys.into_iter().enumerate().map(key).collect::<PyResult<_>>()?;
        let workers = self.threads.workers()?;
        let ring = guarded(|| {
            Ok(py.detach(|| Ring::new(keys, Arc::clone(&self.verifier), table_bytes, &workers)))
        })?;
        let ring = ring.map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(PyRing::new(ring, Arc::clone(&self.threads)))
    }
}

fn key((at, tuple): (usize, KeyTuple)) -> PyResult<Key> {
    let (header, x, y, user_id, window, not_before, not_after, withdrawn_since, places) = tuple;
    let scope = Scope::new(not_before, not_after, withdrawn_since, places).ok_or_else(|| {
        PyValueError::new_err(format!("key {at}: places are ascending, disjoint ranges [from, to)"))
    })?;
    Ok(Key { header, x, y, user_id, window, scope })
}

/// The verifier of a path. A process has one for each path, because it holds the generator's
/// tables.
fn verifier(name: Option<&str>) -> PyResult<Arc<Verifier>> {
    static VERIFIERS: [OnceLock<Arc<Verifier>>; Path::ALL.len()] =
        [const { OnceLock::new() }; Path::ALL.len()];
    let path = match name {
        None => Path::best(),
        Some(name) => Path::ALL.into_iter().find(|path| path.name() == name).ok_or_else(|| {
            PyValueError::new_err(format!("a path is ifma, avx2, scalar or slow, not {name:?}"))
        })?,
    };
    let cell = &VERIFIERS[path as usize];
    if let Some(verifier) = cell.get() {
        return Ok(Arc::clone(verifier));
    }
    let verifier =
        Verifier::new(path).map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
    Ok(Arc::clone(cell.get_or_init(|| Arc::new(verifier))))
}
