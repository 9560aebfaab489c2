//! Threads of low priority, for what must not slow down whoever leads a chain: an engine that follows it, the closing of
//! batches, and reads that execute code.
//!
//! Python's threads cannot be given a low priority: one that holds Python's lock while it is kept waiting for the
//! processor keeps everyone waiting. These never hold it.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result};

/// How a thread makes way for the node's others, where they want the same processor.
#[derive(Debug, Clone, Copy)]
enum Priority {
    /// By a share of its own: a fourth of the processor at nice 5, some 3 % at 15.
    Nice(i32),
    /// By all: it has what nobody else wants (`SCHED_IDLE`), and whoever wakes up takes its place at once.
    Idle,
}

/// What must not starve: a follower that does holds the batches up.
const PRESSED: Priority = Priority::Nice(5);
const READERS_PRIORITY: Priority = Priority::Nice(15);
const READERS: usize = 8;

/// Two threads, of which one works at a time, and on which parallel work of its jobs stays too. A thread that went
/// idle may not come back, so who is in time works on one, and who is late on the other; jobs should be short, because
/// each ends where it began.
pub struct Background {
    idle: ThreadPool,
    pressed: ThreadPool,
    late: AtomicBool,
}

impl Background {
    pub fn new() -> Result<Self> {
        let (idle, pressed) = (threads("background idle", 1, Priority::Idle)?, threads("background", 1, PRESSED)?);
        Ok(Self { idle, pressed, late: AtomicBool::new(true) })
    }

    /// Whether the jobs from now on are `late`, and may take something from others.
    pub fn press(&self, late: bool) {
        self.late.store(late, Ordering::Relaxed);
    }

    /// What `work` gives, done on one of the threads.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        if self.late.load(Ordering::Relaxed) { self.pressed.install(work) } else { self.idle.install(work) }
    }
}

/// What `work` gives, done on the process's thread for batches.
pub fn behind<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    static THREAD: LazyLock<Option<ThreadPool>> = LazyLock::new(|| threads("batches", 1, PRESSED).ok());
    match &*THREAD {
        Some(thread) => thread.install(work),
        None => work(),
    }
}

/// What `work` gives, done on one of the process's threads for reads.
pub fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    static POOL: LazyLock<Option<ThreadPool>> = LazyLock::new(|| threads("reads", READERS, READERS_PRIORITY).ok());
    match &*POOL {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

fn threads(name: &'static str, count: usize, priority: Priority) -> Result<ThreadPool> {
    let pool = ThreadPoolBuilder::new().num_threads(count).thread_name(move |_| name.into());
    let pool = pool.start_handler(move |_| take(priority));
    pool.build().map_err(|error| Error::Temporary(format!("no threads: {error}")))
}

/// Gives the calling thread its priority. Where that is not allowed it is as good as any other.
fn take(priority: Priority) {
    match priority {
        Priority::Nice(nice) => {
            let _ = rustix::process::setpriority_process(None, nice);
        }
        #[cfg(target_os = "linux")]
        Priority::Idle => {
            let usual = libc::sched_param { sched_priority: 0 };
            // SAFETY: the call reads the one structure it is given; 0 is the calling thread.
            unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const usual) };
        }
        #[cfg(not(target_os = "linux"))]
        Priority::Idle => {
            let _ = rustix::process::setpriority_process(None, 19);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    fn is_idle() -> bool {
        // SAFETY: the call takes no memory; 0 is the calling thread.
        unsafe { libc::sched_getscheduler(0) == libc::SCHED_IDLE }
    }

    #[test]
    fn reads_and_batches_give_way_and_nobody_else_does() {
        let before = getpriority_process(None);
        assert_eq!(aside(|| getpriority_process(None)), Ok(15));
        assert_eq!(behind(|| getpriority_process(None)), Ok(5));
        assert_eq!((getpriority_process(None), is_idle()), (before, false));
    }

    #[test]
    fn a_follower_in_time_takes_nothing_from_others_and_one_that_is_late_takes_its_share() {
        let follower = Background::new().expect("threads");
        assert!(!follower.run(is_idle));
        follower.press(false);
        assert!(follower.run(is_idle));
        follower.press(true);
        assert!(!follower.run(is_idle));
        assert_eq!(follower.run(|| getpriority_process(None)), Ok(5));
    }
}
