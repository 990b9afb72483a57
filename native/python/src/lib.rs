//! The Python module `ybtoken_native`. It makes `ybtoken-engine` usable from Python and adds no
//! rule of its own.
//!
//! The GIL is released while a batch is opened. A panic would be a bug; it becomes a
//! `RuntimeError`.

mod arrow;
mod columns;
mod engine;
mod guard;
mod input;
mod ring;
mod sm2_key;
mod threads;
mod times;

use pyo3::prelude::*;

/// The ABI version. It increases when a caller written for an earlier module would get another
/// answer. The Python wrapper accepts only the version that it knows.
const ABI: u32 = 3;

#[pymodule]
mod ybtoken_native {
    use pyo3::prelude::*;
    use pyo3::types::PyTuple;
    use ybtoken_engine::columns::Columns;

    #[pymodule_export]
    const ABI: u32 = super::ABI;
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    /// The name of each column and its width, in bytes a row.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("COLUMNS", PyTuple::new(module.py(), Columns::LAYOUT)?)
    }

    #[pymodule_export]
    use super::columns::PyColumns;
    #[pymodule_export]
    use super::engine::PyEngine;
    #[pymodule_export]
    use super::ring::PyRing;
    #[pymodule_export]
    use super::sm2_key::Sm2Key;
}
