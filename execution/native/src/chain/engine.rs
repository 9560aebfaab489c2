//! The engine: who may do what when, and which state a read sees.
//!
//! Three locks, always taken in this order: `committing` (one commit or unwind at a time), `builder` (whoever
//! drives the open block), `chain` (what readers see; held only to copy a few references). Reads never wait for
//! the builder, and the builder never waits for a commit.

use std::path::Path as FilePath;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256};
use revm::context::BlockEnv;
use revm::primitives::hardfork::SpecId;

use super::background::{Background, COMMITS};
use super::genesis::{self, GenesisAccounts};
use super::open::{Answer, OpenBlock};
use super::progress::{Progress, lock};
use crate::codec::header::Header;
use crate::error::{Error, Result};
use crate::recover::Recovered;
use crate::state::{
    Codes, Diff, Hot, Sealed, Snapshot, Store, StoredGenesis, TrieRows, View, rows_at, write_blocks, write_genesis,
    write_genesis_header, write_trie, write_unwind,
};
use crate::trie::{Child, Flush, Gone, PARTS, prune_part};

pub use super::open::Attributes;

/// The constants of a chain that execution needs.
#[derive(Debug, Clone)]
pub struct Spec {
    pub chain_id: u64,
    /// In order of their times (unix seconds).
    pub forks: Vec<(SpecId, u64)>,
    pub fee_vault: Address,
}

impl Spec {
    pub fn fork_at(&self, timestamp: u64) -> SpecId {
        let active = self.forks.iter().rev().find(|(_, from)| *from <= timestamp);
        active.or(self.forks.first()).map_or(SpecId::CANCUN, |(fork, _)| *fork)
    }
}

/// What sealing gives back.
pub type SealedBlock = Arc<Sealed>;

pub(super) struct Chain {
    pub committed: u64,
    pub snapshot: Snapshot,
    /// The state trie at the committed height. What is not in memory of it is in the snapshot.
    pub trie: Child,
    /// Above the committed height, lowest first.
    pub sealed: Vec<Arc<Sealed>>,
    pub newest: Head,
    pub pending: Option<(View, BlockEnv, SpecId)>,
}

#[derive(Debug, Clone)]
pub(super) struct Head {
    pub header: Arc<Header>,
    pub hash: B256,
}

#[derive(Default)]
struct Builder {
    hot: Hot,
    open: Option<OpenBlock>,
    /// The state trie after the newest sealed block.
    trie: Child,
    /// The part of the trie that may leave memory next.
    forgotten: u8,
    /// Since when there is an open block.
    begun: Option<Instant>,
    /// How long the one before was open.
    lasted: Duration,
}

/// What the stored trie lacks of that at the committed height.
#[derive(Default)]
struct Unwritten {
    gone: Gone,
    changes: usize,
}

pub struct Engine {
    store: Store,
    pub(super) codes: Arc<Codes>,
    spec: OnceLock<Spec>,
    chain: RwLock<Option<Chain>>,
    builder: Mutex<Builder>,
    committing: Mutex<Unwritten>,
    /// Branches that were stored and not yet made up for by forgetting others.
    grown: AtomicUsize,
    memory: Memory,
    background: Option<Background>,
}

/// How much of the state trie may stay in memory.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Store the trie once so many accounts and slots changed since the last time.
    pub unwritten: usize,
    /// Go through the whole trie and forget what is stored for so many branches that were stored.
    pub grown: usize,
    /// How many levels of the accounts' trie stay.
    pub kept_depth: usize,
    /// How many accounts without code and storage the builder knows by heart.
    pub accounts: usize,
}

/// How many parts of the trie may be forgotten at the start of a block, some four milliseconds of work. An engine in the
/// background, for which nobody waits, forgets all that are due.
const PARTS_A_BLOCK: usize = 32;

impl Default for Memory {
    /// Some 40 MB for the 16^4 branches that stay, some 50 MB for those that come and go, and 47 MB for the accounts;
    /// opening after a crash makes up for the unwritten changes in about a second.
    fn default() -> Self {
        Self { unwritten: 60_000, grown: 50_000, kept_depth: 4, accounts: 1_300_000 }
    }
}

impl Engine {
    pub fn new(path: &FilePath) -> Result<Self> {
        Self::with_memory(path, Memory::default())
    }

    pub fn with_memory(path: &FilePath, memory: Memory) -> Result<Self> {
        Self::with(path, memory, None)
    }

    /// For following a chain: works on a thread of its own that makes way for others.
    pub fn in_background(path: &FilePath) -> Result<Self> {
        Self::with(path, Memory::default(), Some(Background::new()?))
    }

    fn with(path: &FilePath, memory: Memory, background: Option<Background>) -> Result<Self> {
        Ok(Self {
            memory,
            background,
            store: Store::open(path)?,
            codes: Arc::default(),
            spec: OnceLock::new(),
            chain: RwLock::new(None),
            builder: Mutex::default(),
            committing: Mutex::default(),
            grown: AtomicUsize::new(0),
        })
    }

    /// Whether one that works in the background is `late`, and its work from now on may take something from others.
    pub fn press(&self, late: bool) {
        if let Some(thread) = &self.background {
            thread.press(late);
        }
    }

    /// Drives the engine on the thread that its blocks are to be built on.
    pub fn drive<T: Send>(&self, work: impl FnOnce(&Self) -> T + Send) -> T {
        match &self.background {
            Some(thread) => thread.run(|| work(self)),
            None => work(self),
        }
    }

    /// Commits on a thread that makes way for whoever builds the next block.
    pub fn commit_behind(&self, number: u64) -> Result<()> {
        match &self.background {
            Some(thread) => thread.run(|| self.commit(number)),
            None => COMMITS.run(|| self.commit(number)),
        }
    }

    /// Creates the state of block 0, or finds it. Returns its root, from which the caller makes block 0's header.
    pub fn open_genesis(&self, accounts: &GenesisAccounts<'_>) -> Result<B256> {
        let digest = accounts.digest();
        if let Some(stored) = self.store.snapshot().genesis()? {
            if stored.digest != digest {
                return Err(Error::Fatal("the state on disk belongs to another genesis".into()));
            }
            return Ok(stored.root);
        }
        self.store.clear()?;
        let root = genesis::write(&self.store, accounts)?;
        write_genesis(&self.store, StoredGenesis { digest, root })?;
        Ok(root)
    }

    /// Starts from block 0 with this header, or from the height on disk.
    pub fn open(&self, spec: Spec, genesis: &Header) -> Result<()> {
        let (encoded, hash) = (genesis.encode(), genesis.hash());
        match self.store.snapshot().header(0)? {
            None => write_genesis_header(&self.store, hash, &encoded)?,
            Some((stored, _)) if stored == hash => {}
            Some(_) => return Err(Error::Fatal("the state on disk belongs to another genesis".into())),
        }
        let _ = self.spec.set(spec);
        let snapshot = self.store.snapshot();
        let damaged = || Error::Fatal("state store: no header at its height".into());
        let committed = snapshot.height()?.ok_or_else(damaged)?;
        let newest = stored_head(&snapshot, committed)?.ok_or_else(damaged)?;
        let (trie, snapshot) = self.complete_trie(snapshot, &newest.header)?;
        let mut builder = lock(&self.builder)?;
        let mut hot = Hot::knowing(self.memory.accounts);
        snapshot.each_account(self.memory.accounts, |address, account| hot.learn(&address, &account))?;
        *builder = Builder { hot, trie: trie.clone(), ..Builder::default() };
        let chain = Chain { committed, snapshot, trie, sealed: Vec::new(), newest, pending: None };
        *self.write_chain()? = Some(chain);
        Ok(())
    }

    /// The trie at the height, stored if it was not.
    fn complete_trie(&self, snapshot: Snapshot, newest: &Header) -> Result<(Child, Snapshot)> {
        let stored = snapshot.trie_height()?.unwrap_or(newest.number);
        if stored == newest.number {
            return Ok((snapshot.upper_trie(newest.state_root, self.memory.kept_depth)?, snapshot));
        }
        let damaged = || Error::Fatal(format!("state store: no header of block {stored}, whose trie is stored"));
        let root = stored_head(&snapshot, stored)?.ok_or_else(damaged)?.header.state_root;
        let (trie, gone) = super::proof::trie_after(&snapshot, root, stored, newest.number)?;
        if trie.root() != newest.state_root {
            let text = format!("state store: the changes since block {stored} give root {}", trie.root());
            return Err(Error::Fatal(text));
        }
        write_trie(&self.store, TrieRows { flush: Flush::of(&trie), gone }, newest.number)?;
        Ok((trie, self.store.snapshot()))
    }

    pub fn height(&self) -> Result<u64> {
        self.read(|chain| Ok(chain.committed))
    }

    pub fn begin(&self, attributes: Attributes) -> Result<()> {
        let mut builder = lock(&self.builder)?;
        if let Some(open) = &builder.open {
            return Err(Error::Fatal(format!("block {} is open already", open.attributes.number)));
        }
        // Held while the snapshot is taken: then it has every node that counts as stored.
        let idle = self.committing.try_lock();
        let (newest, view) = self.read(|chain| Ok((chain.newest.clone(), chain.view(&self.codes))))?;
        if attributes.number != newest.header.number + 1 || attributes.parent_hash != newest.hash {
            let text =
                format!("block {} does not follow block {} {}", attributes.number, newest.header.number, newest.hash);
            return Err(Error::Fatal(text));
        }
        if idle.is_ok() {
            self.forget(&mut builder);
        }
        drop(idle);
        let spec = self.spec()?;
        let fork = spec.fork_at(attributes.timestamp);
        let trie = builder.trie.clone();
        let open = {
            // Blocks of a chain last equally long, or nearly so.
            let (now, most) = (Instant::now(), builder.lasted * 3 / 4);
            builder.begun = Some(now);
            let sealing = self.background.is_none().then(|| now + most);
            let progress = Progress::new(trie, view.snapshot.clone(), sealing);
            let mut hot = std::mem::take(&mut builder.hot);
            let open = OpenBlock::begin(attributes, fork, spec.chain_id, view, progress, &mut hot)?;
            builder.hot = hot;
            open
        };
        self.show(&open)?;
        builder.open = Some(open);
        Ok(())
    }

    /// Lets a few parts of the trie out of memory, as many as make up for what was stored; all in turn.
    fn forget(&self, builder: &mut Builder) {
        let grown = self.grown.load(Ordering::Relaxed);
        let a_part = self.memory.grown / PARTS;
        let most = if self.background.is_some() { PARTS } else { PARTS_A_BLOCK };
        let parts = grown.checked_div(a_part).map_or(PARTS, |parts| parts.min(most));
        for _ in 0..parts {
            builder.trie = prune_part(&builder.trie, self.memory.kept_depth, builder.forgotten);
            builder.forgotten = builder.forgotten.wrapping_add(1);
        }
        self.grown.fetch_sub(grown.min(parts * a_part), Ordering::Relaxed);
    }

    pub fn apply(&self, transactions: &[Arc<Recovered>]) -> Result<Vec<Answer>> {
        self.with_open(|open, hot| open.apply(transactions, hot))
    }

    pub fn mark(&self) -> Result<usize> {
        self.with_open(|open, _| Ok(open.mark()))
    }

    pub fn rewind(&self, mark: usize) -> Result<()> {
        self.with_open(|open, hot| {
            hot.forget(open.changed());
            open.rewind(mark)
        })
    }

    pub fn seal(&self) -> Result<SealedBlock> {
        let mut builder = lock(&self.builder)?;
        let open = builder.open.take().ok_or_else(no_block)?;
        let mut hot = std::mem::take(&mut builder.hot);
        let sealed = Arc::new(open.seal(self.spec()?.fee_vault, &mut hot)?);
        builder.hot = hot;
        builder.trie = sealed.trie.clone();
        builder.lasted = builder.begun.take().map(|begun| begun.elapsed()).unwrap_or_default();
        self.change(|chain| {
            chain.newest = Head { header: Arc::new(sealed.header.clone()), hash: sealed.hash };
            chain.sealed.push(Arc::clone(&sealed));
            chain.pending = None;
        })?;
        Ok(sealed)
    }

    pub fn cancel(&self) -> Result<()> {
        let mut builder = lock(&self.builder)?;
        if let Some(open) = builder.open.take() {
            builder.hot.forget(open.changed());
        }
        self.change(|chain| chain.pending = None)
    }

    pub fn commit(&self, number: u64) -> Result<()> {
        let mut unwritten = lock(&self.committing)?;
        let blocks: Vec<Arc<Sealed>> = self.read(|chain| {
            if number > chain.newest.header.number {
                return Err(Error::Fatal(format!("block {number} is not sealed")));
            }
            Ok(chain.sealed.iter().filter(|block| block.header.number <= number).cloned().collect())
        })?;
        let blocks: Vec<(Arc<Sealed>, Diff)> =
            blocks.into_iter().map(|block| (Arc::clone(&block), Diff::of(&block))).collect();
        let Some((newest, _)) = blocks.last() else { return Ok(()) };
        for (block, diff) in &blocks {
            unwritten.gone.extend_from_slice(&block.gone);
            unwritten.changes += diff.changes();
        }
        let due = unwritten.changes > self.memory.unwritten;
        let rows = due.then(|| self.trie_rows(&newest.trie, &mut unwritten));
        write_blocks(&self.store, &blocks, rows)?;
        let (snapshot, trie) = (self.store.snapshot(), newest.trie.clone());
        // What was there before is large: it goes only after the lock, which the builder takes for each step.
        let _before = self.change(|chain| {
            chain.committed = number;
            chain.sealed.retain(|block| block.header.number > number);
            (std::mem::replace(&mut chain.snapshot, snapshot), std::mem::replace(&mut chain.trie, trie))
        })?;
        Ok(())
    }

    /// What brings the stored trie to `trie`, that of the height, which counts as stored from then on.
    fn trie_rows(&self, trie: &Child, unwritten: &mut Unwritten) -> TrieRows {
        let Unwritten { gone, .. } = std::mem::take(unwritten);
        let flush = Flush::of(trie);
        self.grown.fetch_add(flush.puts.len(), Ordering::Relaxed);
        TrieRows { flush, gone }
    }

    /// Stores the trie of the committed height, so that opening finds it whole.
    pub fn settle(&self) -> Result<()> {
        let mut unwritten = lock(&self.committing)?;
        if unwritten.changes == 0 {
            return Ok(());
        }
        let (trie, committed) = self.read(|chain| Ok((chain.trie.clone(), chain.committed)))?;
        let rows = self.trie_rows(&trie, &mut unwritten);
        write_trie(&self.store, rows, committed)?;
        let snapshot = self.store.snapshot();
        self.change(|chain| chain.snapshot = snapshot)
    }

    /// Makes everything committed so far survive power loss.
    pub fn sync(&self) -> Result<()> {
        self.store.sync()
    }

    pub fn unwind(&self, to: u64) -> Result<()> {
        let mut unwritten = lock(&self.committing)?;
        let mut builder = lock(&self.builder)?;
        let (committed, snapshot, trie) = self.read(|chain| {
            if to > chain.newest.header.number {
                return Err(Error::Fatal(format!("there is no block {to} to go back to")));
            }
            Ok((chain.committed, chain.snapshot.clone(), chain.trie.clone()))
        })?;
        *builder = Builder { hot: Hot::knowing(self.memory.accounts), ..Builder::default() };
        let trie =
            if to < committed { self.unwind_store(&snapshot, trie, (committed, to), &mut unwritten)? } else { trie };
        let snapshot = self.store.snapshot();
        let stored = stored_head(&snapshot, to.min(committed))?;
        let head = self.change(|chain| {
            chain.sealed.retain(|block| block.header.number <= to);
            chain.committed = to.min(committed);
            chain.snapshot = snapshot;
            chain.trie = trie;
            chain.pending = None;
            let newest =
                chain.sealed.last().map(|block| Head { header: Arc::new(block.header.clone()), hash: block.hash });
            if let Some(newest) = newest.or(stored) {
                chain.newest = newest;
            }
            chain.sealed.last().map_or_else(|| chain.trie.clone(), |block| block.trie.clone())
        })?;
        builder.trie = head;
        Ok(())
    }

    pub fn spec(&self) -> Result<&Spec> {
        self.spec.get().ok_or_else(|| Error::Fatal("the engine is not open".into()))
    }

    /// Takes committed blocks back, of which `trie` is the newest one's; the trie after block `to`.
    fn unwind_store(
        &self,
        snapshot: &Snapshot,
        trie: Child,
        (committed, to): (u64, u64),
        unwritten: &mut Unwritten,
    ) -> Result<Child> {
        let unknown = || Error::Fatal(format!("the state of block {to} is not kept"));
        let target = stored_head(snapshot, to)?.ok_or_else(unknown)?.header.state_root;
        let diff = rows_at(snapshot, committed, to)?;
        let (trie, gone) = super::proof::trie_before(snapshot, trie, committed, to)?;
        if trie.root() != target {
            let text = format!("unwinding to block {to} gives state root {}, not {target}", trie.root());
            return Err(Error::Fatal(text));
        }
        unwritten.gone.extend(gone);
        let rows = self.trie_rows(&trie, unwritten);
        write_unwind(&self.store, snapshot, (committed, to), &diff, rows)?;
        Ok(trie)
    }

    fn with_open<T>(&self, work: impl FnOnce(&mut OpenBlock, &mut Hot) -> Result<T>) -> Result<T> {
        let mut builder = lock(&self.builder)?;
        let Builder { hot, open, .. } = &mut *builder;
        let open = open.as_mut().ok_or_else(no_block)?;
        let done = work(open, hot)?;
        self.show(open)?;
        Ok(done)
    }

    /// Lets readers see the open block as it is now.
    fn show(&self, open: &OpenBlock) -> Result<()> {
        let pending = (open.view().clone(), open.environment.clone(), open.fork);
        self.change(|chain| chain.pending = Some(pending))
    }

    pub(super) fn read<T>(&self, work: impl FnOnce(&Chain) -> Result<T>) -> Result<T> {
        let guard = self.chain.read().map_err(|_| failed())?;
        work(guard.as_ref().ok_or_else(|| Error::Fatal("the engine is not open".into()))?)
    }

    fn change<T>(&self, work: impl FnOnce(&mut Chain) -> T) -> Result<T> {
        let mut guard = self.write_chain()?;
        Ok(work(guard.as_mut().ok_or_else(|| Error::Fatal("the engine is not open".into()))?))
    }

    fn write_chain(&self) -> Result<std::sync::RwLockWriteGuard<'_, Option<Chain>>> {
        self.chain.write().map_err(|_| failed())
    }
}

impl Chain {
    /// The state after the newest sealed block.
    pub fn view(&self, codes: &Arc<Codes>) -> View {
        View {
            open: Vec::new(),
            sealed: self.sealed.clone(),
            snapshot: Some(self.snapshot.clone()),
            committed: self.committed,
            at: self.committed,
            codes: Arc::clone(codes),
        }
    }
}

pub(super) fn stored_head(snapshot: &Snapshot, number: u64) -> Result<Option<Head>> {
    let Some((hash, encoded)) = snapshot.header(number)? else { return Ok(None) };
    let header = Header::decode(&encoded).map_err(|text| Error::Fatal(format!("state store: header: {text}")))?;
    Ok(Some(Head { header: Arc::new(header), hash }))
}

fn no_block() -> Error {
    Error::Fatal("no block is open".into())
}

fn failed() -> Error {
    Error::Fatal("the engine failed before and is in an unknown state".into())
}
