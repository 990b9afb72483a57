//! Arrow strings as plain buffers, which are read in place.
//!
//! The caller takes the buffers out of its arrays. They are not trusted: every offset and length is
//! checked before it is used.

#![allow(unsafe_code, reason = "one block views a buffer's memory, and gives its reason")]

use std::slice::from_raw_parts;

use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Validity bitmap, offsets, data, bytes per offset, first element, number of elements.
pub type ChunkTuple<'py> = (
    Option<Bound<'py, PyAny>>,
    Option<Bound<'py, PyAny>>,
    Option<Bound<'py, PyAny>>,
    usize,
    usize,
    usize,
);

/// The chunks of an Arrow array of strings.
pub struct Chunks(Vec<Chunk>);

struct Chunk {
    validity: Option<PyUntypedBuffer>,
    offsets: Option<PyUntypedBuffer>,
    data: Option<PyUntypedBuffer>,
    offset_width: usize,
    start: usize,
    length: usize,
}

impl Chunks {
    /// Acquires the buffers, so that they stay in memory.
    ///
    /// # Errors
    /// `TypeError` for an object that is not a buffer.
    pub fn hold(chunks: Vec<ChunkTuple<'_>>) -> PyResult<Self> {
        let buffer = |source: Option<Bound<'_, PyAny>>| {
            source.map(|source| PyUntypedBuffer::get(&source)).transpose()
        };
        let chunk = |(validity, offsets, data, offset_width, start, length)| {
            Ok(Chunk {
                validity: buffer(validity)?,
                offsets: buffer(offsets)?,
                data: buffer(data)?,
                offset_width,
                start,
                length,
            })
        };
        chunks.into_iter().map(chunk).collect::<PyResult<_>>().map(Self)
    }

    /// The bytes of each string.
    ///
    /// # Errors
    /// `ValueError` for a null, whose position it names, and for buffers, offsets or lengths that
    /// do not fit together.
    pub fn slices(&self) -> PyResult<Vec<&[u8]>> {
        let mut slices = Vec::new();
        for (number, chunk) in self.0.iter().enumerate() {
            let before = slices.len();
            if let Some(null) = chunk.first_null(number)? {
                return Err(PyValueError::new_err(format!(
                    "the text of row {} is null: drop or fill nulls first",
                    before + null
                )));
            }
            chunk.add_to(&mut slices).map_err(|reason| broken(number, reason))?;
        }
        Ok(slices)
    }
}

impl Chunk {
    /// The position of the first null, counted from the start of the chunk.
    fn first_null(&self, number: usize) -> PyResult<Option<usize>> {
        let Some(validity) = &self.validity else { return Ok(None) };
        let bits = bytes_of(validity).map_err(|reason| broken(number, reason))?;
        let end = self.start.checked_add(self.length);
        if end.is_none_or(|end| end.div_ceil(8) > bits.len()) {
            return Err(broken(number, "the validity bitmap is too short"));
        }
        let there = |at: usize| bits.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1);
        Ok((0..self.length).find(|&at| !there(self.start + at)))
    }

    fn add_to<'a>(&'a self, slices: &mut Vec<&'a [u8]>) -> Result<(), &'static str> {
        if self.offset_width != 4 && self.offset_width != 8 {
            return Err("an offset has 4 or 8 bytes");
        }
        if self.length == 0 {
            return Ok(());
        }
        let offsets = self.offsets.as_ref().map_or(Ok(&[][..]), bytes_of)?;
        let data = self.data.as_ref().map_or(Ok(&[][..]), bytes_of)?;
        let first = self.start.checked_mul(self.offset_width);
        let size =
            self.length.checked_add(1).and_then(|count| count.checked_mul(self.offset_width));
        let offsets = first
            .and_then(|first| offsets.get(first..))
            .zip(size)
            .and_then(|(offsets, size)| offsets.get(..size))
            .ok_or("the offsets are too few")?;
        slices.reserve(self.length);
        if self.offset_width == 4 {
            let (offsets, _) = offsets.as_chunks();
            add(data, offsets.iter().map(|&offset| i32::from_ne_bytes(offset).into()), slices)
        } else {
            let (offsets, _) = offsets.as_chunks();
            add(data, offsets.iter().map(|&offset| i64::from_ne_bytes(offset)), slices)
        }
        .ok_or("the offsets do not ascend within the data")
    }
}

/// Adds the strings between consecutive offsets; `None` if the offsets do not ascend within the
/// data.
fn add<'a>(
    data: &'a [u8],
    mut offsets: impl Iterator<Item = i64>,
    slices: &mut Vec<&'a [u8]>,
) -> Option<()> {
    let mut start = usize::try_from(offsets.next()?).ok()?;
    for offset in offsets {
        let end = usize::try_from(offset).ok()?;
        slices.push(data.get(start..end)?);
        start = end;
    }
    Some(())
}

/// The memory of a buffer.
fn bytes_of(buffer: &PyUntypedBuffer) -> Result<&[u8], &'static str> {
    if buffer.item_size() != 1 || !buffer.is_c_contiguous() {
        return Err("a buffer is of contiguous bytes");
    }
    let length = buffer.len_bytes();
    if length == 0 {
        return Ok(&[]);
    }
    // SAFETY: contiguous memory of `length` bytes, which exists as long as the buffer is held. No
    // one writes to it meanwhile, because Arrow requires that an array's buffers never change.
    Ok(unsafe { from_raw_parts(buffer.buf_ptr().cast(), length) })
}

fn broken(chunk: usize, reason: &str) -> PyErr {
    PyValueError::new_err(format!("Arrow chunk {chunk}: {reason}"))
}
