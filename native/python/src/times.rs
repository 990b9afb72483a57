//! The time and the limits that are passed with a call.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt};
use ybtoken_engine::{Mismatch, Now};

/// One time for all texts, or one for each, as Python gives them.
#[derive(Clone, Copy)]
pub enum Times<'a> {
    Same(i64),
    Each(&'a [u8]),
}

impl<'a> Times<'a> {
    /// # Errors
    /// `TypeError` if `now` is neither an int nor bytes, `ValueError` if the int needs more than 64
    /// bits.
    pub fn of(now: &'a Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = now.cast::<PyBytes>() {
            return Ok(Self::Each(bytes.as_bytes()));
        }
        if !now.is_instance_of::<PyInt>() {
            let kind = now.get_type().name()?;
            return Err(PyTypeError::new_err(format!(
                "now is an int, or bytes of an i64 for each text, not {kind}"
            )));
        }
        let seconds = now.extract();
        seconds.map(Self::Same).map_err(|_| PyValueError::new_err("now is seconds in 64 bits"))
    }

    /// The times of `rows` texts.
    ///
    /// # Errors
    /// `ValueError` if there are not exactly `rows` times.
    pub fn each_of(self, rows: usize) -> PyResult<Now<'a>> {
        let bytes = match self {
            Self::Same(now) => return Ok(Now::Same(now)),
            Self::Each(bytes) => bytes,
        };
        match bytes.as_chunks() {
            (times, []) if times.len() == rows => Ok(Now::Each(times)),
            _ => Err(PyValueError::new_err(format!(
                "now has 8 bytes for each text: {} for {rows} texts, not {}",
                8 * rows,
                bytes.len()
            ))),
        }
    }
}

pub fn mismatched(error: Mismatch) -> PyErr {
    PyValueError::new_err(error.to_string())
}
