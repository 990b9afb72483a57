//! The threads that work is spread over: the caller's own, and as many more as the caller says.

use std::sync::{Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// Threads of one caller, kept for as long as this lives.
#[derive(Debug)]
pub struct Workers {
    helpers: Option<ThreadPool>,
}

impl Workers {
    /// `threads` threads, the caller's own among them: with 0 or 1 there is no other.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn new(threads: usize) -> Result<Self, ThreadPoolBuildError> {
        if threads <= 1 {
            return Ok(Self::none());
        }
        let name = |index| format!("ybtoken-{}", index + 1);
        let pool = ThreadPoolBuilder::new().num_threads(threads - 1).thread_name(name).build()?;
        Ok(Self { helpers: Some(pool) })
    }

    /// No threads but the caller's.
    #[must_use]
    pub const fn none() -> Self {
        Self { helpers: None }
    }

    /// How many threads share the work.
    #[must_use]
    pub fn threads(&self) -> usize {
        1 + self.helpers.as_ref().map_or(0, ThreadPool::current_num_threads)
    }

    /// Does `work` on every item, each taken by whichever thread is free next, in order; returns
    /// when all are done.
    ///
    /// A thread makes itself a `scratch` for its first item and keeps it for the others.
    pub fn each<T: Send, S>(
        &self,
        items: Vec<T>,
        scratch: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, T) + Sync,
    ) {
        let others = items.len().saturating_sub(1).min(self.threads() - 1);
        let items = Mutex::new(items.into_iter());
        let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
        let drain = || {
            let mut kept = None;
            while let Some(item) = next() {
                work(kept.get_or_insert_with(&scratch), item);
            }
        };
        match &self.helpers {
            Some(helpers) if others > 0 => helpers.in_place_scope(|scope| {
                for _ in 0..others {
                    scope.spawn(|_| drain());
                }
                drain();
            }),
            _ => drain(),
        }
    }
}
