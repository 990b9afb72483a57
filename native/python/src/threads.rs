//! The threads of an engine, which its rings share.

use std::process;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use ybtoken_engine::Workers;

/// The threads of an engine. A forked process gets new ones, because threads do not survive a fork.
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
            // Its threads do not exist in this process, so they cannot be joined.
            std::mem::forget(old);
        }
        Ok(Arc::clone(&workers.1))
    }
}

fn start(count: usize) -> PyResult<Arc<Workers>> {
    let workers = Workers::new(count);
    workers.map(Arc::new).map_err(|error| PyRuntimeError::new_err(error.to_string()))
}
