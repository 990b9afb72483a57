//! The threads of an engine, which its rings share.

use std::process;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use ybtoken_engine::Workers;

/// The threads of an engine. A process that was forked gets its own, since threads do not follow
/// into it.
pub struct Threads {
    count: usize,
    workers: Mutex<(u32, Arc<Workers>)>,
}

impl Threads {
    pub fn new(count: usize) -> PyResult<Self> {
        Ok(Self { count, workers: Mutex::new((process::id(), start(count)?)) })
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn workers(&self) -> PyResult<Arc<Workers>> {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        if self.count > 1 && workers.0 != process::id() {
            let old = std::mem::replace(&mut *workers, (process::id(), start(self.count)?));
            // Its threads are not here to be ended.
            std::mem::forget(old);
        }
        Ok(Arc::clone(&workers.1))
    }
}

fn start(count: usize) -> PyResult<Arc<Workers>> {
    let workers = Workers::new(count);
    workers.map(Arc::new).map_err(|error| PyRuntimeError::new_err(error.to_string()))
}
