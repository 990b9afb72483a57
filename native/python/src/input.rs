//! Texts as Python has them: a sequence of `str` or `bytes`.

use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

use ybtoken_engine::text::MAX_TEXT;

/// Texts that are kept alive while they are read. `str` and `bytes` are immutable, so they may be
/// read without the GIL.
pub struct Objects<'py>(Bound<'py, PyTuple>);

impl<'py> Objects<'py> {
    /// Takes references to the texts of `source`.
    ///
    /// # Errors
    /// `TypeError` if `source` is not iterable, or is a single text.
    pub fn hold(source: &Bound<'py, PyAny>) -> PyResult<Self> {
        if source.is_instance_of::<PyString>() || source.is_instance_of::<PyBytes>() {
            return Err(PyTypeError::new_err("texts are a sequence, not one text"));
        }
        let objects = source.py().get_type::<PyTuple>().call1((source,))?;
        Ok(Self(objects.cast_into()?))
    }

    /// Calls `work` with the bytes of each text.
    ///
    /// # Errors
    /// `TypeError` for an object that is not a text, and the errors of `work`.
    pub fn with<R>(
        self,
        py: Python<'py>,
        work: impl FnOnce(&[&[u8]]) -> PyResult<R>,
    ) -> PyResult<R> {
        match slices_of(self.0.iter_borrowed()) {
            Ok(slices) => return work(&slices),
            Err(error) if error.is_instance_of::<PyUnicodeEncodeError>(py) => {}
            Err(error) => return Err(error),
        }
        let objects: Vec<_> = self.0.iter().map(readable).collect::<PyResult<_>>()?;
        work(&slices_of(objects.iter().map(Bound::as_borrowed))?)
    }
}

/// The text itself. Lone surrogates, which UTF-8 cannot encode, are replaced by question marks,
/// which are refused as digits just the same.
fn readable(text: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    match bytes_of(text.as_borrowed()) {
        Err(error) if error.is_instance_of::<PyUnicodeEncodeError>(text.py()) => {
            text.call_method1("encode", ("utf-8", "replace"))
        }
        _ => Ok(text),
    }
}

/// Stands for any text with too many characters: its length is checked first, and nothing else of
/// it is read.
static TOO_LONG: [u8; MAX_TEXT + 1] = [b'0'; _];

fn slices_of<'a, 'py: 'a>(
    texts: impl ExactSizeIterator<Item = Borrowed<'a, 'py, PyAny>>,
) -> PyResult<Vec<&'a [u8]>> {
    let mut slices = Vec::with_capacity(texts.len());
    for text in texts {
        slices.push(bytes_of(text)?);
    }
    Ok(slices)
}

fn bytes_of<'a>(text: Borrowed<'a, '_, PyAny>) -> PyResult<&'a [u8]> {
    if let Ok(string) = text.cast::<PyString>() {
        // Characters that are not ASCII must be encoded first, which takes time in proportion to
        // their number.
        if string.len()? > MAX_TEXT {
            return Ok(&TOO_LONG);
        }
        return text.extract().map(str::as_bytes);
    }
    if let Ok(bytes) = text.extract() {
        return Ok(bytes);
    }
    let kind = text.get_type().name()?;
    Err(PyTypeError::new_err(format!("a text is str or bytes, not {kind}")))
}

/// Reads one text.
///
/// # Errors
/// `TypeError` if it is not `str`.
pub fn with_text<R>(text: &Bound<'_, PyAny>, work: impl FnOnce(&[u8]) -> R) -> PyResult<R> {
    if !text.is_instance_of::<PyString>() {
        let kind = text.get_type().name()?;
        return Err(PyTypeError::new_err(format!("a text is str, not {kind}")));
    }
    match bytes_of(text.as_borrowed()) {
        Ok(bytes) => Ok(work(bytes)),
        Err(_) => Ok(work(bytes_of(readable(text.clone())?.as_borrowed())?)),
    }
}
