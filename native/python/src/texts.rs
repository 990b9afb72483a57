//! Texts as Python has them: a sequence of `str` or `bytes`, or an Arrow array or stream of strings.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::arrow::Strings;

/// What keeps the texts alive while they are read.
pub enum Texts<'py> {
    /// `str` and `bytes`; both are immutable, so they may be read without the GIL.
    Objects(Vec<Bound<'py, PyAny>>),
    Arrow(Strings<'py>),
}

impl<'py> Texts<'py> {
    /// Takes hold of the texts of `source`.
    ///
    /// # Errors
    /// `TypeError` for anything else, `ValueError` for an Arrow array that has nulls or is not well made.
    pub fn hold(source: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Some(strings) = Strings::import(source)? {
            return Ok(Self::Arrow(strings));
        }
        if source.is_instance_of::<PyString>() || source.is_instance_of::<PyBytes>() {
            return Err(PyTypeError::new_err("texts are a sequence, not one text"));
        }
        let texts = source.try_iter()?.map(|item| item.and_then(readable));
        Ok(Self::Objects(texts.collect::<PyResult<_>>()?))
    }

    /// The bytes of each text.
    pub fn slices(&self) -> PyResult<Vec<&[u8]>> {
        match self {
            Self::Objects(objects) => objects.iter().map(bytes_of).collect(),
            Self::Arrow(strings) => Ok(strings.slices()),
        }
    }
}

/// The text itself; if it has lone surrogates, which UTF-8 cannot say, with question marks in their place: no digits either.
fn readable(text: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    match text.cast::<PyString>() {
        Ok(string) if string.to_str().is_err() => text.call_method1("encode", ("utf-8", "replace")),
        _ => Ok(text),
    }
}

fn bytes_of<'a>(text: &'a Bound<'_, PyAny>) -> PyResult<&'a [u8]> {
    if let Ok(string) = text.cast::<PyString>() {
        return Ok(string.to_str()?.as_bytes());
    }
    if let Ok(bytes) = text.cast::<PyBytes>() {
        return Ok(bytes.as_bytes());
    }
    let kind = text.get_type().name()?;
    Err(PyTypeError::new_err(format!(
        "a text is str or bytes, not {kind}"
    )))
}

/// Reads one text.
///
/// # Errors
/// `TypeError` if it is not `str`.
pub fn with_text<R>(text: &Bound<'_, PyAny>, work: impl FnOnce(&[u8]) -> R) -> PyResult<R> {
    let Ok(string) = text.cast::<PyString>() else {
        let kind = text.get_type().name()?;
        return Err(PyTypeError::new_err(format!("a text is str, not {kind}")));
    };
    if let Ok(string) = string.to_str() {
        return Ok(work(string.as_bytes()));
    }
    let bytes = readable(text.clone())?;
    Ok(work(bytes_of(&bytes)?))
}
