//! Threads of low priority, for what must not slow down whoever leads a chain: an engine that follows it, the closing of
//! batches, and reads that execute code.
//!
//! Python's threads cannot be given a low priority: one that holds Python's lock while it is kept waiting for the
//! processor keeps everyone waiting. These never hold it.

use std::sync::LazyLock;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result};

/// Out of the way of the node's other threads, and yet a fourth of a processor that they want all of: a follower that
/// starves holds the batches up.
const NICE: i32 = 5;

/// A share of some 3 % against a thread of usual priority that wants the same processor.
const READERS_NICE: i32 = 15;
const READERS: usize = 8;

/// The thread, on which parallel work of its jobs stays too.
pub struct Background(ThreadPool);

impl Background {
    pub fn new() -> Result<Self> {
        Ok(Self(threads("background", 1, NICE)?))
    }

    /// What `work` gives, done on the thread.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.0.install(work)
    }
}

/// What `work` gives, done on the process's thread for batches.
pub fn behind<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    static THREAD: LazyLock<Option<Background>> = LazyLock::new(|| Background::new().ok());
    match &*THREAD {
        Some(thread) => thread.run(work),
        None => work(),
    }
}

/// What `work` gives, done on one of the process's threads for reads.
pub fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    static POOL: LazyLock<Option<ThreadPool>> = LazyLock::new(|| threads("reads", READERS, READERS_NICE).ok());
    match &*POOL {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

fn threads(name: &'static str, count: usize, nice: i32) -> Result<ThreadPool> {
    let pool = ThreadPoolBuilder::new().num_threads(count).thread_name(move |_| name.into()).start_handler(move |_| {
        // Where it is not allowed the thread is as good as any other.
        let _ = rustix::process::setpriority_process(None, nice);
    });
    pool.build().map_err(|error| Error::Temporary(format!("no threads: {error}")))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[test]
    fn reads_and_batches_give_way_and_nobody_else_does() {
        let before = getpriority_process(None);
        assert_eq!(aside(|| getpriority_process(None)), Ok(READERS_NICE));
        assert_eq!(behind(|| getpriority_process(None)), Ok(NICE));
        assert_eq!(getpriority_process(None), before);
    }
}
