//! Arrow strings through the PyCapsule interface, read in place (Arrow C data and C stream
//! interfaces).
//!
//! What comes from outside is not trusted further than the interface makes one trust it: pointers
//! and the count of offsets are taken as given, and every length and offset is checked before it is
//! used.

#![allow(unsafe_code, reason = "the interface is C structs; each block gives its reason")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::ptr::{NonNull, null};
use std::slice::from_raw_parts;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

#[repr(C)]
struct ArrowSchema {
    format: *const c_char,
    name: *const c_char,
    metadata: *const c_char,
    flags: i64,
    n_children: i64,
    children: *mut *mut ArrowSchema,
    dictionary: *mut ArrowSchema,
    release: Option<unsafe extern "C" fn(*mut ArrowSchema)>,
    private_data: *mut c_void,
}

#[repr(C)]
struct ArrowArray {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *const *const c_void,
    children: *mut *mut ArrowArray,
    dictionary: *mut ArrowArray,
    release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    private_data: *mut c_void,
}

#[repr(C)]
struct ArrowArrayStream {
    get_schema: Option<unsafe extern "C" fn(*mut ArrowArrayStream, *mut ArrowSchema) -> c_int>,
    get_next: Option<unsafe extern "C" fn(*mut ArrowArrayStream, *mut ArrowArray) -> c_int>,
    get_last_error: Option<unsafe extern "C" fn(*mut ArrowArrayStream) -> *const c_char>,
    release: Option<unsafe extern "C" fn(*mut ArrowArrayStream)>,
    private_data: *mut c_void,
}

/// A struct that a stream filled in, released when dropped.
struct Owned<T: Release>(Box<T>);

trait Release {
    fn empty() -> Self;
    fn release(&mut self);
}

impl Release for ArrowSchema {
    fn empty() -> Self {
        // SAFETY: zeros are null pointers, no callbacks and zero counts: the released state of the
        // interface.
        unsafe { std::mem::zeroed() }
    }

    fn release(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: a callback that is there has not been called, and is called with its own
            // struct.
            unsafe { release(self) }
        }
    }
}

impl Release for ArrowArray {
    fn empty() -> Self {
        // SAFETY: as for `ArrowSchema`.
        unsafe { std::mem::zeroed() }
    }

    fn release(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: as for `ArrowSchema`.
            unsafe { release(self) }
        }
    }
}

impl<T: Release> Owned<T> {
    fn empty() -> Self {
        Self(Box::new(T::empty()))
    }
}

impl<T: Release> Drop for Owned<T> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// The strings of an Arrow array or stream.
pub struct Strings<'py> {
    /// Where each string is: memory that `_capsules` and `_chunks` keep, and that nobody writes to.
    slices: Vec<(NonNull<u8>, usize)>,
    _capsules: Vec<Bound<'py, PyCapsule>>,
    _chunks: Vec<Owned<ArrowArray>>,
    /// Not to leave the thread: releasing may need the GIL.
    _not_send: PhantomData<*const ()>,
}

impl<'py> Strings<'py> {
    /// The strings of `source`; `None` if it does not speak Arrow.
    ///
    /// # Errors
    /// `TypeError` if it holds no strings, `ValueError` if it has nulls or lengths that make no
    /// sense.
    pub fn import(source: &Bound<'py, PyAny>) -> PyResult<Option<Self>> {
        let mut strings = Self {
            slices: Vec::new(),
            _capsules: Vec::new(),
            _chunks: Vec::new(),
            _not_send: PhantomData,
        };
        if source.hasattr("__arrow_c_array__")? {
            let (schema, array): (Bound<'py, PyCapsule>, Bound<'py, PyCapsule>) =
                source.call_method0("__arrow_c_array__")?.extract()?;
            let schema_at = schema.pointer_checked(Some(c"arrow_schema"))?.cast::<ArrowSchema>();
            let array_at = array.pointer_checked(Some(c"arrow_array"))?.cast::<ArrowArray>();
            // SAFETY: a capsule of this name holds such a struct, for as long as the capsule lives.
            unsafe { strings.add(Layout::of(schema_at.as_ref())?, array_at.as_ref())? };
            strings._capsules = vec![schema, array];
            return Ok(Some(strings));
        }
        if source.hasattr("__arrow_c_stream__")? {
            let capsule = source.call_method0("__arrow_c_stream__")?.cast_into::<PyCapsule>()?;
            let stream =
                capsule.pointer_checked(Some(c"arrow_array_stream"))?.cast::<ArrowArrayStream>();
            strings.drain(stream)?;
            strings._capsules = vec![capsule];
            return Ok(Some(strings));
        }
        Ok(None)
    }

    /// The bytes of each string.
    pub fn slices(&self) -> Vec<&[u8]> {
        // SAFETY: `add` saw that each lies within its buffer, and `self` keeps the buffers.
        self.slices
            .iter()
            .map(|&(start, length)| unsafe { from_raw_parts(start.as_ptr(), length) })
            .collect()
    }

    fn drain(&mut self, stream: NonNull<ArrowArrayStream>) -> PyResult<()> {
        // SAFETY: a capsule of this name holds such a struct, for as long as the capsule lives; the
        // callbacks are called with it, one at a time, and fill in structs that are empty.
        let (get_schema, get_next) =
            unsafe { (stream.as_ref().get_schema, stream.as_ref().get_next) };
        let (Some(get_schema), Some(get_next)) = (get_schema, get_next) else {
            return Err(PyValueError::new_err("an Arrow stream that was released"));
        };
        let failed =
            |status| PyValueError::new_err(format!("the Arrow stream failed with {status}"));
        let mut schema = Owned::<ArrowSchema>::empty();
        // SAFETY: see above.
        match unsafe { get_schema(stream.as_ptr(), &mut *schema.0) } {
            0 => {}
            status => return Err(failed(status)),
        }
        let layout = Layout::of(&schema.0)?;
        loop {
            let mut chunk = Owned::<ArrowArray>::empty();
            // SAFETY: see above.
            match unsafe { get_next(stream.as_ptr(), &mut *chunk.0) } {
                0 if chunk.0.release.is_none() => return Ok(()),
                0 => {}
                status => return Err(failed(status)),
            }
            // SAFETY: the stream filled the struct in to this schema, and `_chunks` keeps it.
            unsafe { self.add(layout, &chunk.0)? };
            self._chunks.push(chunk);
        }
    }

    /// Adds the strings of an array.
    ///
    /// # Safety
    /// `array` is a struct of the interface with this layout, and its buffers live as long as
    /// `self`.
    unsafe fn add(&mut self, layout: Layout, array: &ArrowArray) -> PyResult<()> {
        let broken =
            || PyValueError::new_err("an Arrow array whose lengths or offsets make no sense");
        if array.release.is_none() {
            return Err(PyValueError::new_err("an Arrow array that was released"));
        }
        let length = usize::try_from(array.length).map_err(|_| broken())?;
        let start = usize::try_from(array.offset).map_err(|_| broken())?;
        let end = start
            .checked_add(length)
            .filter(|&end| end < isize::MAX as usize / 16)
            .ok_or_else(broken)?;
        let count = usize::try_from(array.n_buffers).map_err(|_| broken())?;
        let wanted = if matches!(layout, Layout::View) { count >= 3 } else { count == 3 };
        if !wanted || array.buffers.is_null() || !array.dictionary.is_null() {
            return Err(broken());
        }
        // SAFETY: the interface has `n_buffers` pointers there.
        let buffers = unsafe { from_raw_parts(array.buffers, count) };
        if length == 0 {
            return Ok(());
        }
        if array.null_count != 0 && !buffers[0].is_null() {
            // SAFETY: a validity bitmap has a bit for each element.
            let validity = unsafe { from_raw_parts(buffers[0].cast::<u8>(), end.div_ceil(8)) };
            if (start..end).any(|at| validity[at / 8] >> (at % 8) & 1 == 0) {
                return Err(PyValueError::new_err("texts hold nulls; drop or fill them first"));
            }
        }
        let main = buffers[1];
        if main.is_null() || !main.addr().is_multiple_of(8) {
            return Err(broken());
        }
        self.slices.reserve(length);
        match layout {
            Layout::Offsets32 => {
                // SAFETY: there is an offset for each element and one more; the alignment was
                // checked.
                let offsets = unsafe { from_raw_parts(main.cast::<i32>(), end + 1) };
                self.add_ranges(
                    buffers[2].cast(),
                    offsets[start..].iter().map(|&offset| offset.into()),
                )
            }
            Layout::Offsets64 => {
                // SAFETY: as for 32 bits.
                let offsets = unsafe { from_raw_parts(main.cast::<i64>(), end + 1) };
                self.add_ranges(buffers[2].cast(), offsets[start..].iter().copied())
            }
            Layout::View => {
                let (data, sizes) = buffers[2..].split_at(count - 3);
                let sizes = match sizes[0] {
                    at if at.is_null() || data.is_empty() => &[],
                    at if !at.addr().is_multiple_of(8) => return Err(broken()),
                    // SAFETY: the last buffer has the size of each data buffer; the alignment was
                    // checked.
                    at => unsafe { from_raw_parts(at.cast::<i64>(), data.len()) },
                };
                // SAFETY: there is a view of 16 bytes for each element.
                let views = unsafe { from_raw_parts(main.cast::<[u8; 16]>(), end) };
                self.add_views(&views[start..], data, sizes)
            }
        }
        .ok_or_else(broken)
    }

    fn add_ranges(&mut self, data: *const u8, offsets: impl Iterator<Item = i64>) -> Option<()> {
        let mut before = None;
        for offset in offsets {
            let offset = usize::try_from(offset).ok()?;
            if let Some(before) = before.replace(offset) {
                self.push(data, before, offset.checked_sub(before)?)?;
            }
        }
        Some(())
    }

    fn add_views(
        &mut self,
        views: &[[u8; 16]],
        data: &[*const c_void],
        sizes: &[i64],
    ) -> Option<()> {
        for view in views {
            let word = |at: usize| {
                u32::from_le_bytes([view[at], view[at + 1], view[at + 2], view[at + 3]]) as usize
            };
            let length = word(0);
            if i32::try_from(length).is_err() {
                return None;
            }
            if length <= 12 {
                self.push(view.as_ptr(), 4, length)?;
                continue;
            }
            let (buffer, offset) = (word(8), word(12));
            let size = usize::try_from(*sizes.get(buffer)?).ok()?;
            if offset.checked_add(length)? > size {
                return None;
            }
            self.push(data.get(buffer)?.cast(), offset, length)?;
        }
        Some(())
    }

    fn push(&mut self, data: *const u8, offset: usize, length: usize) -> Option<()> {
        let start = if length == 0 {
            NonNull::dangling()
        } else {
            NonNull::new(data.wrapping_add(offset).cast_mut())?
        };
        if length != 0 && data.is_null() {
            return None;
        }
        self.slices.push((start, length));
        Some(())
    }
}

/// How strings lie in an array.
#[derive(Clone, Copy)]
enum Layout {
    Offsets32,
    Offsets64,
    View,
}

impl Layout {
    fn of(schema: &ArrowSchema) -> PyResult<Self> {
        if schema.release.is_none() || std::ptr::eq(schema.format, null()) {
            return Err(PyValueError::new_err("an Arrow schema that was released"));
        }
        // SAFETY: a format is a string that ends with zero.
        let format = unsafe { CStr::from_ptr(schema.format) };
        match format.to_bytes() {
            b"u" | b"z" if schema.dictionary.is_null() => Ok(Self::Offsets32),
            b"U" | b"Z" if schema.dictionary.is_null() => Ok(Self::Offsets64),
            b"vu" | b"vz" if schema.dictionary.is_null() => Ok(Self::View),
            _ => Err(PyTypeError::new_err(format!(
                "texts are an Arrow array of strings, not of format {}{}",
                format.to_string_lossy(),
                if schema.dictionary.is_null() { "" } else { " by dictionary" },
            ))),
        }
    }
}
