//! A thread of an engine's own, of low priority, for an engine that nobody waits for.
//!
//! Whoever follows a chain must not slow down whoever leads it. Python's threads cannot be given a low priority: one
//! that holds Python's lock while it is kept waiting for the processor keeps everyone waiting.

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result};

/// Out of the way of the node's other threads, and yet a fourth of a processor that they want all of: a follower that
/// starves holds the batches up.
const NICE: i32 = 5;

/// The thread, on which parallel work of its jobs stays too.
pub struct Background(ThreadPool);

impl Background {
    pub fn new() -> Result<Self> {
        let pool = ThreadPoolBuilder::new().num_threads(1).thread_name(|_| "background".into()).start_handler(|_| {
            // Where it is not allowed the thread is as good as any other.
            let _ = rustix::process::setpriority_process(None, NICE);
        });
        Ok(Self(pool.build().map_err(|error| Error::Temporary(format!("no thread for an engine: {error}")))?))
    }

    /// What `work` gives, done on the thread.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.0.install(work)
    }
}
