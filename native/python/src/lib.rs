//! The Python module `ybtoken_native`: what `ybtoken-engine` does, for Python, and no rule of its own.
//!
//! The GIL is not held while a batch is opened or judged. No panic crosses: one would be a bug, and becomes a `RuntimeError`.

#![deny(unsafe_code)]

mod arrow;
mod columns;
mod engine;
mod judge;
mod ring;
mod sm2_key;
mod texts;

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// Grows when a caller of an earlier module would be answered otherwise; the Python wrapper asks for the one it knows.
const ABI: u32 = 2;

/// Runs `work`; a panic in it becomes a `RuntimeError`.
fn guarded<T>(work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(PyRuntimeError::new_err(
            "the native engine has a bug: it panicked; please report what it was given",
        ))
    })
}

#[pymodule]
mod ybtoken_native {
    #[pymodule_export]
    const ABI: u32 = super::ABI;
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_export]
    use super::columns::PyColumns;
    #[pymodule_export]
    use super::engine::PyEngine;
    #[pymodule_export]
    use super::judge::PyScopes;
    #[pymodule_export]
    use super::ring::PyRing;
    #[pymodule_export]
    use super::sm2_key::Sm2Key;
}
