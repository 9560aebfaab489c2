//! The tries of the open block, kept up behind the execution so that sealing has little left to do.
//!
//! Executed steps are laid into an inbox. Once enough has gathered, a worker thread takes the inbox and brings
//! the state trie and the tries of transactions and receipts up to it; sealing waits for the worker and does the
//! rest. Waiting for much keeps it as cheap as doing all at the end: the upper nodes of the trie, which every
//! change touches, are hashed once for many changes. When sealing is near, the worker takes less at a time, because then
//! somebody waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

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
    /// When sealing may be near; None without a worker.
    sealing: Option<Instant>,
}

/// The tries are kept up in portions of so many changes, so that sealing is not one long job.
const A_PORTION: usize = 4096;
/// When sealing is near so many are worth a walk through the tries, though each costs two or three times as much.
const A_SMALL_PORTION: usize = 512;

impl Progress {
    /// On top of the block whose state trie is `parent`; with a worker of its own if it is said when `sealing` may be near.
    pub fn new(parent: Child, snapshot: Option<Snapshot>, sealing: Option<Instant>) -> Self {
        let tries = Tries { state: parent.clone(), ..Tries::default() };
        let shared = Shared {
            snapshot,
            parent,
            tries: Mutex::new(Ok(tries)),
            inbox: Mutex::default(),
            running: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared), weight: 0, sealing }
    }

    /// Notes what was executed, and wakes the worker if it is worth it; without one the work is done here.
    pub fn push(&mut self, step: Step) -> Result<()> {
        self.weight += step.layer.weight() + step.outcomes.len();
        lock(&self.shared.inbox)?.push(step);
        let is_near = self.sealing.is_some_and(|sealing| sealing <= Instant::now());
        if self.weight < if is_near { A_SMALL_PORTION } else { A_PORTION } {
            return Ok(());
        }
        if self.sealing.is_none() {
            self.weight = 0;
            return self.shared.work();
        }
        if !self.shared.running.swap(true, Ordering::AcqRel) {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use alloy_primitives::{Address, U256};

    use super::*;
    use crate::codec::receipt::Unhashed;
    use crate::state::Account;

    /// Some accounts again and again, and some that are new.
    fn step(number: u64) -> Step {
        let mut layer = Layer::default();
        for at in 0..200 {
            let address = Address::left_padding_from(&(at + at % 2 * 1000 * number).to_be_bytes());
            layer.accounts.insert(address, Some(Account { balance: U256::from(number + 1), ..Account::default() }));
            if number == 0 || at % 2 == 1 {
                layer.created.insert(address);
            }
        }
        let outcome = Unhashed::new(2, true, 21_000, 21_000 * number, None, Vec::new());
        let outcomes = Unhashed::hash_all(vec![outcome]).map(Arc::new).collect();
        Step { layer, raws: vec![Bytes::from(number.to_be_bytes())], outcomes }
    }

    #[test]
    fn the_tries_are_the_same_however_far_the_seal_is() {
        let roots = [None, Some(Duration::ZERO), Some(Duration::from_secs(3600))].map(|far| {
            let mut progress = Progress::new(Child::Empty, None, far.map(|far| Instant::now() + far));
            (0..64).for_each(|number| progress.push(step(number)).unwrap());
            let tries = progress.finish().unwrap();
            (tries.state.root(), tries.transactions.root(), tries.receipts.root())
        });
        assert_eq!(roots[0], roots[1]);
        assert_eq!(roots[0], roots[2]);
    }
}
