//! The tries of the open block, kept up behind the execution so that sealing has little left to do.
//!
//! Executed steps are laid into an inbox. Once enough has gathered, a worker thread takes the inbox and brings
//! the state trie and the tries of transactions and receipts up to it; sealing waits for the worker and does the
//! rest. Waiting for enough keeps it as cheap as doing all at the end: the upper nodes of the trie, which every
//! change touches, are hashed once for many changes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use alloy_primitives::map::B256Map;
use alloy_primitives::{B256, Bytes};

use crate::codec::receipt::Outcome;
use crate::error::{Error, Result};
use crate::state::{Layer, Snapshot};
use crate::trie::{Child, Context, Gone, OrderedTrie, update};

/// What one call of `apply` did.
#[derive(Debug)]
pub struct Step {
    pub layer: Layer,
    pub raws: Vec<Bytes>,
    pub outcomes: Vec<Arc<Outcome>>,
}

/// The tries as far as they have been brought.
#[derive(Debug, Default)]
pub struct Tries {
    pub state: Child,
    pub gone: Gone,
    /// Storage roots that differ from those of the parent block, by hashed address.
    pub storage_roots: B256Map<B256>,
    pub transactions: OrderedTrie,
    pub receipts: OrderedTrie,
}

struct Shared {
    snapshot: Option<Snapshot>,
    parent: Child,
    tries: Mutex<Result<Tries>>,
    inbox: Mutex<Vec<Step>>,
    running: AtomicBool,
}

/// The tries and the inbox, shared with the worker.
pub struct Progress {
    shared: Arc<Shared>,
    weight: usize,
    eager: bool,
}

/// So many changes are worth a walk through the tries.
const ENOUGH: usize = 512;

/// Without a worker the tries are kept up in portions of so many changes, so that sealing is not one long job.
const A_PORTION: usize = 4096;

impl Progress {
    /// On top of the block whose state trie is `parent`; `eager` with a worker of its own.
    pub fn new(parent: Child, snapshot: Option<Snapshot>, eager: bool) -> Self {
        let tries = Tries { state: parent.clone(), ..Tries::default() };
        let shared = Shared {
            snapshot,
            parent,
            tries: Mutex::new(Ok(tries)),
            inbox: Mutex::default(),
            running: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared), weight: 0, eager }
    }

    /// Notes what was executed, and wakes the worker if it is worth it; without one the work is done here.
    pub fn push(&mut self, step: Step) -> Result<()> {
        self.weight += step.layer.weight() + step.outcomes.len();
        lock(&self.shared.inbox)?.push(step);
        if !self.eager && self.weight >= A_PORTION {
            self.weight = 0;
            return self.shared.work();
        }
        if self.eager && self.weight >= ENOUGH && !self.shared.running.swap(true, Ordering::AcqRel) {
            self.weight = 0;
            self.wake();
        }
        Ok(())
    }

    /// A thread of its own, never one of rayon's: it waits for the lock of the tries, whose holder may be waiting
    /// for rayon's threads. Rayon's threads take no lock that is held over parallel work.
    fn wake(&self) {
        let shared = Arc::clone(&self.shared);
        let started = std::thread::Builder::new().name("tries".into()).spawn(move || {
            // A panic poisons the lock of the tries, which whoever seals will find.
            let _ = catch_unwind(AssertUnwindSafe(|| shared.work()));
            shared.running.store(false, Ordering::Release);
        });
        if started.is_err() {
            // No thread to be had: sealing does it all.
            self.shared.running.store(false, Ordering::Release);
        }
    }

    /// Starts over from the parent block: after a rewind, with what remains.
    pub fn restart(&mut self, remaining: Step) -> Result<()> {
        let mut tries = lock(&self.shared.tries)?;
        *tries = Ok(Tries { state: self.shared.parent.clone(), ..Tries::default() });
        let mut inbox = lock(&self.shared.inbox)?;
        inbox.clear();
        self.weight = remaining.layer.weight();
        inbox.push(remaining);
        Ok(())
    }

    /// Brings the tries up to everything pushed, and hands them out.
    pub fn finish(&self) -> Result<Tries> {
        self.shared.work()?;
        std::mem::replace(&mut *lock(&self.shared.tries)?, Err(Error::Fatal("the block is sealed".into())))
    }
}

impl Shared {
    fn work(&self) -> Result<()> {
        let mut guard = lock(&self.tries)?;
        let steps = std::mem::take(&mut *lock(&self.inbox)?);
        if steps.is_empty() {
            return guard.as_ref().map(|_| ()).map_err(Clone::clone);
        }
        let tries = guard.as_mut().map_err(|error| error.clone())?;
        let done = self.advance(tries, &steps);
        if let Err(error) = &done {
            *guard = Err(error.clone());
        }
        done
    }

    fn advance(&self, tries: &mut Tries, steps: &[Step]) -> Result<()> {
        let Tries { state, gone, storage_roots, transactions, receipts } = tries;
        let (lists, state) = rayon::join(
            || {
                let raws = steps.iter().flat_map(|step| step.raws.iter().map(|raw| raw.as_ref()));
                let outcomes = steps.iter().flat_map(|step| &step.outcomes);
                transactions.extend(raws)?;
                receipts.extend(outcomes.map(|outcome| outcome.receipt.as_ref()))
            },
            || self.advance_state(state, gone, storage_roots, steps),
        );
        lists.and(state)
    }

    fn advance_state(
        &self,
        state: &mut Child,
        all_gone: &mut Gone,
        all_storage_roots: &mut B256Map<B256>,
        steps: &[Step],
    ) -> Result<()> {
        let mut layer = Layer::default();
        for step in steps {
            layer.absorb(&step.layer);
        }
        let (gone, storage_roots) = (Mutex::default(), Mutex::default());
        let source: &dyn crate::trie::Source = match &self.snapshot {
            Some(snapshot) => snapshot,
            None => &crate::trie::InMemory,
        };
        let context = Context { source, owner: None, gone: &gone, storage_roots: &storage_roots };
        *state = update(std::mem::take(state), &layer.changes(), &context)?;
        all_gone.append(&mut *lock(&gone)?);
        all_storage_roots.extend(lock(&storage_roots)?.drain(..));
        Ok(())
    }
}

/// A lock that a panic has not left in an unknown state.
pub fn lock<T>(mutex: &Mutex<T>) -> Result<MutexGuard<'_, T>> {
    mutex.lock().map_err(|_| Error::Fatal("the engine failed before and is in an unknown state".into()))
}
