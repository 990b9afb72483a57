//! The keys' tables. They are built once, in parallel, and kept within a limit in bytes; when it is
//! exceeded, the least recently used table is dropped.
//!
//! A table with window w takes about `2^(w-1) * 256/w * 64` bytes: 262 kB for w = 8, 786 kB for w =
//! 10. The limit counts the tables that are kept. A batch holds the tables that it uses until it is
//! done. So memory may exceed the limit for a moment by what the running batches hold; each of them
//! keeps within the limit too (see [`Tables::runs`]).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use ybtoken_curve::{KeyTable, PublicKey};

use crate::workers::Workers;

/// About how many bytes a table with a window of `bits` takes.
#[must_use]
pub const fn footprint(bits: u32) -> usize {
    let windows = if bits == 0 { 256 } else { 256_u32.div_ceil(bits) };
    (64 * windows as usize) << bits.saturating_sub(1)
}

/// How many tables are built side by side in memory: eight tables fill three large pages with
/// windows of 10 bits, and one with 8 bits.
const TOGETHER: usize = 8;

/// A key and the place of its table.
struct Slot {
    key: PublicKey,
    window: u32,
    /// When the table was last used, in ticks of `Tables::clock`.
    used: AtomicU64,
    /// The table. Eviction replaces it by an empty place, so that a user of the old table keeps it.
    table: Mutex<Arc<OnceLock<KeyTable>>>,
}

/// A table in use: it exists as long as this lives, even if it is evicted.
#[derive(Clone)]
pub struct Held(Arc<OnceLock<KeyTable>>);

impl Held {
    /// The table; every `Held` that [`Tables::get`] returned has one.
    #[must_use]
    pub fn table(&self) -> Option<&KeyTable> {
        self.0.get()
    }
}

/// How many tables there are, and how much memory they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableStats {
    pub bytes: usize,
    pub tables: usize,
    /// Tables built so far, including those that were evicted and built again.
    pub built: u64,
    pub evicted: u64,
}

/// The tables of the keys of a ring.
pub struct Tables {
    slots: Vec<Slot>,
    cap: usize,
    clock: AtomicU64,
    stats: Mutex<TableStats>,
}

impl Tables {
    /// Places for the tables of `keys`, each with its window size. `workers` build the first tables
    /// that fit the limit now.
    #[must_use]
    pub fn new(
        keys: impl IntoIterator<Item = (PublicKey, u32)>,
        cap: usize,
        workers: &Workers,
    ) -> Self {
        let slot =
            |(key, window)| Slot { key, window, used: AtomicU64::new(0), table: Mutex::default() };
        let slots: Vec<_> = keys.into_iter().map(slot).collect();
        let tables = Self { slots, cap, clock: AtomicU64::new(1), stats: Mutex::default() };
        let mut sum = 0_usize;
        let fits = |slot: &&Slot| {
            sum = sum.saturating_add(footprint(slot.window));
            sum <= cap
        };
        let first = tables.slots.iter().take_while(fits).count();
        if first == tables.slots.len() {
            let each = first.div_ceil(workers.threads()).clamp(1, TOGETHER);
            let same_window = |a: &Slot, b: &Slot| a.window == b.window;
            let groups = tables.slots.chunk_by(same_window);
            let groups = groups.flat_map(|same| same.chunks(each)).collect();
            workers.each(groups, || (), |(), group| tables.build_together(group));
        }
        // Tables that may be evicted later are built one by one, so that each can return its
        // memory.
        let entries = (0..first).collect();
        workers.each(entries, || (), |(), entry| drop(tables.get(entry)));
        tables
    }

    /// Builds tables with the same window side by side in memory; none of them is ever evicted.
    fn build_together(&self, group: &[Slot]) {
        let keys: Vec<_> = group.iter().map(|slot| slot.key).collect();
        let built = group.first().and_then(|slot| KeyTable::build_all(&keys, slot.window).ok());
        for (slot, table) in group.iter().zip(built.into_iter().flatten()) {
            let mut stats = lock(&self.stats);
            stats.bytes += table.bytes();
            stats.tables += 1;
            stats.built += 1;
            drop(stats);
            // No other thread has seen the place yet.
            let _ = lock(&slot.table).set(table);
        }
    }

    /// The table of an entry, built first if it is missing; `None` only for an entry that does not
    /// exist.
    pub fn get(&self, entry: usize) -> Option<Held> {
        let slot = self.slots.get(entry)?;
        slot.used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        let place = Arc::clone(&lock(&slot.table));
        if place.get().is_none() {
            self.build(entry, slot, &place);
        }
        Some(Held(place))
    }

    /// Splits entries into runs of at least one entry whose tables together fit the limit.
    pub fn runs<'e>(&self, entries: &'e [u16]) -> impl Iterator<Item = &'e [u16]> {
        let bytes = |entry: &u16| {
            self.slots.get(usize::from(*entry)).map_or(0, |slot| footprint(slot.window))
        };
        let mut rest = entries;
        std::iter::from_fn(move || {
            let mut sum = 0_usize;
            let fits = |entry: &&u16| {
                sum = sum.saturating_add(bytes(entry));
                sum <= self.cap
            };
            let count = rest.iter().take_while(fits).count().max(1);
            rest.split_off(..count.min(rest.len())).filter(|run| !run.is_empty())
        })
    }

    #[must_use]
    pub fn stats(&self) -> TableStats {
        *lock(&self.stats)
    }

    fn build(&self, entry: usize, slot: &Slot, place: &OnceLock<KeyTable>) {
        place.get_or_init(|| {
            // The window was checked when the ring was made, and the default window is always
            // accepted.
            let table = KeyTable::build(&slot.key, slot.window)
                .or_else(|_| KeyTable::build(&slot.key, KeyTable::DEFAULT_WINDOW));
            let Ok(table) = table else { unreachable!("the default window has a table") };
            // Counted before the table can be seen, so that no thread evicts a table that is not
            // counted.
            let mut stats = lock(&self.stats);
            stats.bytes += table.bytes();
            stats.tables += 1;
            stats.built += 1;
            table
        });
        let mut stats = lock(&self.stats);
        while stats.bytes > self.cap && self.evict(entry, &mut stats) {}
    }

    /// Drops the least recently used table other than that of `keep`; false if there is none.
    fn evict(&self, keep: usize, stats: &mut TableStats) -> bool {
        let built =
            |(entry, slot): &(usize, &Slot)| *entry != keep && lock(&slot.table).get().is_some();
        let slots = self.slots.iter().enumerate().filter(built);
        let Some((_, oldest)) = slots.min_by_key(|(_, slot)| slot.used.load(Ordering::Relaxed))
        else {
            return false;
        };
        let place = std::mem::take(&mut *lock(&oldest.table));
        let Some(table) = place.get() else {
            return false;
        };
        stats.bytes -= table.bytes();
        stats.tables -= 1;
        stats.evicted += 1;
        true
    }
}

/// Locked data is consistent at every moment, so a panic in another thread does not damage it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
