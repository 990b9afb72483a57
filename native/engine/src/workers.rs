//! The threads that a batch is spread over: as many as the caller says, and the caller's own if that is one.

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// Threads of one caller, kept for as long as this lives.
#[derive(Debug)]
pub struct Workers {
    pool: Option<ThreadPool>,
}

impl Workers {
    /// `threads` threads; with 0 or 1 all work is done in the thread that asks for it.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn new(threads: usize) -> Result<Self, ThreadPoolBuildError> {
        if threads <= 1 {
            return Ok(Self::none());
        }
        let name = |index| format!("ybtoken-{index}");
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(name)
            .build()?;
        Ok(Self { pool: Some(pool) })
    }

    /// No threads of its own.
    #[must_use]
    pub const fn none() -> Self {
        Self { pool: None }
    }

    /// How many threads share the work.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.pool
            .as_ref()
            .map_or(1, ThreadPool::current_num_threads)
    }

    /// Runs `work` where its parallel parts use these threads.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}
