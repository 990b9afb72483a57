//! Where texts come from: anything that returns the bytes of the text at a position.

use memchr::memchr_iter;

/// Texts by position. Several threads may read them, and may read a text more than once.
pub trait Texts: Sync {
    fn len(&self) -> usize;

    /// The text at `position`; empty past the end.
    fn text(&self, position: usize) -> &[u8];

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: AsRef<[u8]> + Sync> Texts for [T] {
    fn len(&self) -> usize {
        <[T]>::len(self)
    }

    fn text(&self, position: usize) -> &[u8] {
        self.get(position).map_or(&[], AsRef::as_ref)
    }
}

impl<T: AsRef<[u8]> + Sync> Texts for Vec<T> {
    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn text(&self, position: usize) -> &[u8] {
        self.as_slice().text(position)
    }
}

/// The lines of one buffer.
///
/// A line ends at `\n` only. A `\r` before it belongs to the text, which is then refused, because
/// each token has one spelling. The last line needs no `\n`, and after a final `\n` there is no
/// further line.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    buffer: &'a [u8],
    /// Where each line ends: at its `\n`, or the buffer's end.
    ends: Vec<usize>,
}

impl<'a> Lines<'a> {
    #[must_use]
    pub fn new(buffer: &'a [u8]) -> Self {
        let mut lines = Self::whole(buffer);
        if buffer.last().is_some_and(|&last| last != b'\n') {
            lines.ends.push(buffer.len());
        }
        lines
    }

    /// Only the lines that end with `\n`; the rest of the buffer may be the start of a longer line.
    #[must_use]
    pub fn whole(buffer: &'a [u8]) -> Self {
        let mut ends = Vec::with_capacity(buffer.len() / 300);
        ends.extend(memchr_iter(b'\n', buffer));
        Self { buffer, ends }
    }

    /// How many bytes of the buffer these lines occupy, including each `\n`.
    #[must_use]
    pub fn consumed(&self) -> usize {
        self.ends.last().map_or(0, |end| (end + 1).min(self.buffer.len()))
    }
}

impl Texts for Lines<'_> {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn text(&self, position: usize) -> &[u8] {
        let before = position.checked_sub(1).and_then(|before| self.ends.get(before));
        let start = before.map_or(0, |end| end + 1);
        self.ends.get(position).and_then(|&end| self.buffer.get(start..end)).unwrap_or_default()
    }
}
