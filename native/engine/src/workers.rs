//! The threads that share work: the caller's own thread, and as many helpers as the caller asks
//! for.

use std::sync::{Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// The helper threads of one caller; they live as long as this value.
#[derive(Debug)]
pub struct Workers {
    helpers: Option<ThreadPool>,
}

impl Workers {
    /// `threads` threads, including the caller's own; with 0 or 1 there are no helpers.
    ///
    /// # Errors
    /// The error of the operating system if it cannot start the threads.
    pub fn new(threads: usize) -> Result<Self, ThreadPoolBuildError> {
        if threads <= 1 {
            return Ok(Self::none());
        }
        let name = |index| format!("ybtoken-{}", index + 1);
        let pool = ThreadPoolBuilder::new().num_threads(threads - 1).thread_name(name).build()?;
        Ok(Self { helpers: Some(pool) })
    }

    /// No threads other than the caller's own.
    #[must_use]
    pub const fn none() -> Self {
        Self { helpers: None }
    }

    /// How many threads share the work.
    #[must_use]
    pub fn threads(&self) -> usize {
        1 + self.helpers.as_ref().map_or(0, ThreadPool::current_num_threads)
    }

    /// Does `work` on every item and returns when all are done. Items are taken in order, each by
    /// the thread that is free next.
    ///
    /// A thread makes one `scratch` for its first item and reuses it for the others.
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
