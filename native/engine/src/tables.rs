//! The keys' tables: built once, in parallel, kept within a cap of bytes, the least recently used
//! one going first.
//!
//! Footprint: a table of window w takes about `2^(w-1) * 256/w * 64` bytes, 262 KB for w = 8 and
//! 786 KB for w = 10. The cap counts the tables that are kept. A batch holds those it uses until it
//! is done, so a moment's use may exceed the cap by what the running batches hold, and each of
//! those keeps to the cap too (see [`Tables::runs`]).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use ybtoken_curve::{KeyTable, PublicKey};

use crate::workers::Workers;

/// About how many bytes a table of a window of `bits` takes.
#[must_use]
pub const fn footprint(bits: u32) -> usize {
    let windows = if bits == 0 { 256 } else { 256_u32.div_ceil(bits) };
    (64 * windows as usize) << bits.saturating_sub(1)
}

/// How many tables are built side by side in memory: eight with windows of 10 bits fill three large
/// pages, and with 8 bits one.
const TOGETHER: usize = 8;

/// A key and its table's place.
struct Slot {
    key: PublicKey,
    window: u32,
    /// When the table was last asked for, on the clock of all tables.
    used: AtomicU64,
    /// The table; replaced by an empty place when evicted, so that who holds the old one keeps it.
    table: Mutex<Arc<OnceLock<KeyTable>>>,
}

/// A table that is held: it stays whole while this lives, evicted or not.
#[derive(Clone)]
pub struct Held(Arc<OnceLock<KeyTable>>);

impl Held {
    /// The table; there is one in every `Held` that [`Tables::get`] gave.
    #[must_use]
    pub fn table(&self) -> Option<&KeyTable> {
        self.0.get()
    }
}

/// What tables there are, and what they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableStats {
    pub bytes: usize,
    pub tables: usize,
    /// Tables built so far, evicted ones and rebuilt ones counted too.
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
    /// Places for the tables of `keys`, each with its window; the first ones that fit the cap are
    /// built now by `workers`.
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
        // Those that may have to go are built one by one, so that each gives its memory back.
        let entries = (0..first).collect();
        workers.each(entries, || (), |(), entry| drop(tables.get(entry)));
        tables
    }

    /// Builds tables of one window, none of which will be evicted, side by side in memory.
    fn build_together(&self, group: &[Slot]) {
        let keys: Vec<_> = group.iter().map(|slot| slot.key).collect();
        let built = group.first().and_then(|slot| KeyTable::build_all(&keys, slot.window).ok());
        for (slot, table) in group.iter().zip(built.into_iter().flatten()) {
            let mut stats = lock(&self.stats);
            stats.bytes += table.bytes();
            stats.tables += 1;
            stats.built += 1;
            drop(stats);
            // Nobody else has seen the place yet.
            let _ = lock(&slot.table).set(table);
        }
    }

    /// The table of an entry, built first if need be; `None` only for an entry that is not there.
    pub fn get(&self, entry: usize) -> Option<Held> {
        let slot = self.slots.get(entry)?;
        slot.used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        let place = Arc::clone(&lock(&slot.table));
        if place.get().is_none() {
            self.build(entry, slot, &place);
        }
        Some(Held(place))
    }

    /// Splits entries into runs whose tables fit the cap together, one at the least.
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
            // The window was checked when the ring was made; the default is never refused.
            let table = KeyTable::build(&slot.key, slot.window)
                .or_else(|_| KeyTable::build(&slot.key, KeyTable::DEFAULT_WINDOW));
            let Ok(table) = table else { unreachable!("the default window has a table") };
            // Counted before it is seen, so that nobody evicts what was not counted.
            let mut stats = lock(&self.stats);
            stats.bytes += table.bytes();
            stats.tables += 1;
            stats.built += 1;
            table
        });
        let mut stats = lock(&self.stats);
        while stats.bytes > self.cap && self.evict(entry, &mut stats) {}
    }

    /// Drops the least recently used table but that of `keep`; false if there is none.
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

/// What is locked here is whole at every moment, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
