//! Keeps processors awake between transactions.
//!
//! A single transaction's way to its promise has a dozen places where a thread waits for another one or for the disk. A
//! processor with nothing else to do falls asleep at each of them, and waking it takes longer than most of the work: in
//! a virtual machine it is the host that has to do it. So for a while after a transaction came in, threads of the lowest
//! policy there is (`SCHED_IDLE`) do nothing, busily. They run only where nobody else wants to, and give way at once.

use std::hint::spin_loop;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How often it spins before it looks at the clock again: some microseconds.
const SPINS: usize = 64;

/// The threads, until this is ended or dropped.
pub struct IdlePoll {
    shared: Arc<Shared>,
    duration: Duration,
    threads: Vec<Thread>,
}

struct Shared {
    began: Instant,
    /// Nanoseconds since then.
    until: AtomicU64,
    /// Threads that sleep, or are about to.
    parked: AtomicUsize,
    ended: AtomicBool,
}

impl IdlePoll {
    /// So many threads that sleep until they are told that work came in, and poll for `duration` from then on.
    pub fn new(duration: Duration, threads: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            began: Instant::now(),
            until: AtomicU64::new(0),
            parked: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        });
        let mut poll = Self { shared, duration, threads: Vec::new() };
        for _ in 0..threads {
            let shared = Arc::clone(&poll.shared);
            let thread = thread::Builder::new().name("idle-poll".into()).spawn(move || {
                if become_idle() {
                    shared.run();
                }
            })?;
            poll.threads.push(thread.thread().clone());
        }
        Ok(poll)
    }

    /// Work came in, and more may follow.
    pub fn touch(&self) {
        let until = self.shared.now() + self.duration.as_nanos() as u64;
        self.shared.until.store(until, SeqCst);
        if self.shared.parked.load(SeqCst) > 0 {
            self.threads.iter().for_each(Thread::unpark);
        }
    }

    /// They poll at the moment.
    pub fn polls(&self) -> bool {
        self.shared.due() && !self.shared.ended.load(SeqCst)
    }

    /// The threads end, whoever touches later. Does not wait for them: they get no processor while others want it.
    pub fn end(&self) {
        self.shared.ended.store(true, SeqCst);
        self.threads.iter().for_each(Thread::unpark);
    }
}

impl Drop for IdlePoll {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    fn due(&self) -> bool {
        self.now() < self.until.load(SeqCst)
    }

    fn run(&self) {
        while !self.ended.load(SeqCst) {
            if self.due() {
                (0..SPINS).for_each(|_| spin_loop());
                thread::yield_now(); // there may be others of this policy, and they have something to do
                continue;
            }
            // Whoever touches after this line wakes it; whoever did before has moved the end, which is looked at again.
            self.parked.fetch_add(1, SeqCst);
            if !self.due() && !self.ended.load(SeqCst) {
                thread::park();
            }
            self.parked.fetch_sub(1, SeqCst);
        }
    }
}

/// From now on this thread runs only where no other wants to. False where there is no such policy: then nothing may spin.
#[cfg(target_os = "linux")]
fn become_idle() -> bool {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the pointer is that of a valid structure, which is only read.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &parameters) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn become_idle() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_poll_after_work_and_no_longer_than_told() {
        let poll = IdlePoll::new(Duration::from_secs(3600), 2).unwrap();
        assert!(!poll.polls());
        poll.touch();
        assert!(poll.polls());
        poll.end(); // returns although the hour is not over
        poll.touch();
        assert!(!poll.polls());

        let over = IdlePoll::new(Duration::ZERO, 1).unwrap();
        over.touch();
        assert!(!over.polls());
    }
}
