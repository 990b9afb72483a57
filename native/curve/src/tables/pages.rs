//! Memory for tables, in large pages if the system gives them.
//!
//! Every addition reads a table entry at an unpredictable address, and the tables of a ring take
//! tens or hundreds of megabytes. In pages of 4 kB they exceed the TLB. So tables that are built
//! together lie side by side in memory for which the system is asked to use pages of 2 MB.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::{cast_slice, cast_slice_mut};
use memmap2::MmapMut;

use super::entry::Entry;

const LARGE: usize = 2 << 20;

/// Entries in their own memory, or in a part of memory shared with other tables.
pub(crate) enum Entries {
    Own(Vec<Entry>),
    Shared { memory: Arc<MmapMut>, bytes: Range<usize> },
}

impl Entries {
    #[inline(always)]
    pub(crate) fn all(&self) -> &[Entry] {
        match self {
            Self::Own(entries) => entries,
            Self::Shared { memory, bytes } => cast_slice(&memory[bytes.clone()]),
        }
    }
}

/// Takes the entries of one table after the other and returns them side by side.
pub(crate) struct Pages {
    /// None if shared memory is not available: then each table has its own.
    memory: Option<MmapMut>,
    /// Offset of the next table, in bytes.
    end: usize,
    taken: Vec<Taken>,
}

enum Taken {
    Own(Vec<Entry>),
    Shared(Range<usize>),
}

impl Pages {
    /// Room for `entries` entries in all.
    pub(crate) fn new(entries: usize) -> Self {
        let memory = large(size_of::<Entry>() * entries);
        let end = memory.as_ref().map_or(0, |memory| memory.as_ptr().align_offset(LARGE));
        Self { memory, end, taken: vec![] }
    }

    pub(crate) fn push(&mut self, entries: Vec<Entry>) {
        let bytes = self.end..self.end + size_of_val(&*entries);
        let room = self.memory.as_mut().and_then(|memory| memory.get_mut(bytes.clone()));
        self.taken.push(match room {
            Some(room) => {
                cast_slice_mut(room).copy_from_slice(&entries);
                self.end = bytes.end;
                Taken::Shared(bytes)
            }
            None => Taken::Own(entries),
        });
    }

    /// The entries of each table, in the order in which they were pushed.
    pub(crate) fn finish(self) -> Vec<Entries> {
        let memory = self.memory.map(Arc::new);
        let entries = |taken| match (taken, &memory) {
            (Taken::Shared(bytes), Some(memory)) => {
                Entries::Shared { memory: Arc::clone(memory), bytes }
            }
            (Taken::Shared(_), None) => unreachable!("taken from no memory"),
            (Taken::Own(entries), _) => Entries::Own(entries),
        };
        self.taken.into_iter().map(entries).collect()
    }
}

/// Memory in which `bytes` bytes can start at a large-page boundary; none if they fill less than
/// half a large page.
#[cfg(all(target_os = "linux", not(miri)))]
fn large(bytes: usize) -> Option<MmapMut> {
    if bytes < LARGE / 2 {
        return None;
    }
    // Round up to whole large pages, because the system makes no large page that is only partly
    // mapped. Memory that nobody touches costs nothing.
    let memory = MmapMut::map_anon(bytes.next_multiple_of(LARGE) + LARGE).ok()?;
    // A hint: if it is refused, the pages are small.
    let _ = memory.advise(memmap2::Advice::HugePage);
    Some(memory)
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn large(_: usize) -> Option<MmapMut> {
    None
}
