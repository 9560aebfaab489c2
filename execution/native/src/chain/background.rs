//! Threads of low priority, for what must not slow down whoever leads a chain: an engine that follows it, the closing of
//! batches, commits, and reads that execute code.
//!
//! Python's threads cannot be given a low priority: one that holds Python's lock while it is kept waiting for the
//! processor keeps everyone waiting. These never hold it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, OnceLock};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result};

/// What must not starve, for a follower that does holds the batches up: a fourth of a processor that others want all of.
const PRESSED_NICE: i32 = 5;
/// A tenth of it. No less, nor the policy `SCHED_IDLE`: where another program wants the whole processor a seal that began
/// so would take seconds, and so would the end of a killed process, whose memory its last thread gives back.
const IN_TIME_NICE: i32 = 10;
/// Some 3 % for each that works. No less, because readers share locks and the store's caches with the builder, which would
/// wait for a reader that nobody lets come to the end of its turn.
const READERS_NICE: i32 = 15;

/// Two threads, of which one works at a time, and on which parallel work of its jobs stays too. A thread may not raise its
/// priority, so who is in time works on one, and who is late on the other; jobs should be short, because each ends where it
/// began.
pub struct Background {
    in_time: ThreadPool,
    pressed: ThreadPool,
    late: AtomicBool,
}

impl Background {
    pub fn new() -> Result<Self> {
        let in_time = threads("background", 1, IN_TIME_NICE)?;
        Ok(Self { in_time, pressed: threads("pressed", 1, PRESSED_NICE)?, late: AtomicBool::new(true) })
    }

    /// Whether the jobs from now on are `late`, and may take something from others.
    pub fn press(&self, late: bool) {
        self.late.store(late, Ordering::Relaxed);
    }

    /// What `work` gives, done on one of the threads.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        if self.late.load(Ordering::Relaxed) { self.pressed.install(work) } else { self.in_time.install(work) }
    }
}

/// The process's thread for batches.
pub static BATCHES: Behind = Behind::new(|| threads("batches", 1, PRESSED_NICE).ok());
/// The process's thread for commits of blocks that the next one is built upon already.
pub static COMMITS: Behind = Behind::new(|| threads("commits", 1, PRESSED_NICE).ok());

/// A thread that is started with its first job.
pub struct Behind(LazyLock<Option<ThreadPool>>);

impl Behind {
    const fn new(start: fn() -> Option<ThreadPool>) -> Self {
        Self(LazyLock::new(start))
    }

    /// What `work` gives, done on the thread.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &*self.0 {
            Some(thread) => thread.install(work),
            None => work(),
        }
    }
}

/// Threads for reads that execute code, started with the first. As many reads run at once; more wait, in the order in
/// which they came. A low priority alone does not keep processors free: a kernel lets whoever runs end its slice of some
/// milliseconds, and where every processor has a reader each step of a send waits for that.
pub struct Readers {
    count: usize,
    pool: OnceLock<Option<ThreadPool>>,
}

impl Readers {
    pub const fn new(count: usize) -> Self {
        Self { count, pool: OnceLock::new() }
    }

    /// What `read` gives, done on one of the threads.
    pub fn run<T: Send>(&self, read: impl FnOnce() -> T + Send) -> T {
        match self.pool.get_or_init(|| threads("reads", self.count, READERS_NICE).ok()) {
            Some(pool) => pool.install(read),
            None => read(),
        }
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
    fn reads_batches_and_commits_give_way_and_nobody_else_does() {
        let before = getpriority_process(None);
        assert_eq!(Readers::new(1).run(|| getpriority_process(None)), Ok(15));
        assert_eq!(BATCHES.run(|| getpriority_process(None)), Ok(5));
        assert_eq!(COMMITS.run(|| getpriority_process(None)), Ok(5));
        assert_eq!(getpriority_process(None), before);
    }

    #[test]
    fn a_follower_in_time_takes_little_and_one_that_is_late_takes_its_share() {
        let follower = Background::new().expect("threads");
        let nice = || follower.run(|| getpriority_process(None));
        assert_eq!(nice(), Ok(5));
        follower.press(false);
        assert_eq!(nice(), Ok(10));
        follower.press(true);
        assert_eq!(nice(), Ok(5));
    }
}
