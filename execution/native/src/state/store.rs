//! The tables on disk. The store and why: `docs/adr/`, on the native engine's store.
//!
//! ```text
//! accounts   keccak(address)                        -> row (account.rs)
//! slots      keccak(address) || keccak(slot)        -> size(1) value || slot(32)
//! codes      code hash                              -> code
//! account_history   accounts' key || block(8)       -> row before that block, empty if there was none
//! slot_history      slots' key || block(8)          -> slots' row before that block, empty for zero
//! changes    block(8) -> count(4) accounts' keys || slots' keys: what the block changed
//! headers    block(8) -> hash(32) || header
//! trie       path, or keccak(address) || 0xff || path, a nibble a byte -> branch record (trie/persist.rs)
//! meta       "height" -> block(8)      "trie" -> block(8)     "genesis" -> digest of the accounts(32) || root(32)
//! ```
//! The trie's records are those of block "trie", which is at most the height: they are written once for many blocks,
//! because most blocks change the upper ones anew. Whoever opens the store makes up for the blocks between.
//!
//! How a table is laid out is decided when it is made, and stays with it: small blocks for what is looked up row by row,
//! whose indices and filters stay in memory, some 4 bytes a row. Stores that are older keep what they have.
//!
//! The state of an older block N is the oldest history row above N, else the current row: one table is both the
//! change set and its index. All rows of a commit are written in one batch with the height, or not at all.

use std::path::Path as FilePath;
use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use fjall::config::{BlockSizePolicy, PartitioningPolicy, PinningPolicy, RestartIntervalPolicy};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch as WriteBatch, PersistMode, Readable};

use super::account::{Account, take_integer};
use crate::error::{Error, Result};
use crate::trie::{Child, Leaf, Owner, Path, Source, branch_of_record, subtrie_of_leaves, upper_part};

/// Memory for blocks of the tables, in bytes; beyond it the operating system's cache serves.
const CACHE_BYTES: u64 = 32 << 20;
/// Of each table's write buffer, in bytes.
const MEMTABLE_BYTES: u64 = 16 << 20;
/// How many records of a trie opening reads at most, in a third of a second.
const RECORDS_READ: usize = 1 << 19;
/// What the keys of the accounts' trie begin with.
const ACCOUNTS_TRIE: u8 = 0xfe;

pub struct Tables {
    pub meta: Keyspace,
    pub accounts: Keyspace,
    pub slots: Keyspace,
    pub codes: Keyspace,
    pub account_history: Keyspace,
    pub slot_history: Keyspace,
    pub changes: Keyspace,
    pub headers: Keyspace,
    pub trie: Keyspace,
}

/// The open store.
pub struct Store {
    database: Database,
    pub tables: Arc<Tables>,
}

/// What the store says of its genesis: a digest of the accounts, and their state root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredGenesis {
    pub digest: B256,
    pub root: B256,
}

impl Store {
    pub fn open(path: &FilePath) -> Result<Self> {
        let database =
            Database::builder(path).cache_size(CACHE_BYTES).worker_threads(1).open().map_err(|error| match error {
                fjall::Error::Locked => Error::Fatal("the state store is in use by another process".into()),
                other => other.into(),
            })?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let table = |name: &str| database.keyspace(name, options);
        // Asked for single rows at random keys, of which there are as many as there is state.
        let looked_up = |name: &str, block_bytes: u32, rows_apart: u8| {
            database.keyspace(name, || {
                options()
                    .data_block_size_policy(BlockSizePolicy::all(block_bytes))
                    .data_block_restart_interval_policy(RestartIntervalPolicy::all(rows_apart))
                    .index_block_pinning_policy(PinningPolicy::all(true))
                    .index_block_partitioning_policy(PartitioningPolicy::all(false))
                    .filter_block_pinning_policy(PinningPolicy::all(true))
                    .filter_block_partitioning_policy(PartitioningPolicy::all(false))
            })
        };
        let tables = Tables {
            meta: table("meta")?,
            accounts: looked_up("accounts", 1 << 10, 4)?,
            slots: looked_up("slots", 1 << 10, 4)?,
            codes: table("codes")?,
            account_history: table("account_history")?,
            slot_history: table("slot_history")?,
            changes: table("changes")?,
            headers: table("headers")?,
            trie: looked_up("trie", 1 << 11, 1)?,
        };
        Ok(Self { database, tables: Arc::new(tables) })
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot { inner: self.database.snapshot(), tables: Arc::clone(&self.tables) }
    }

    /// A batch that survives the process once committed, and power loss once synced.
    pub fn batch(&self) -> WriteBatch {
        self.database.batch().durability(Some(PersistMode::Buffer))
    }

    /// Forgets the state of a genesis that was never finished.
    pub fn clear(&self) -> Result<()> {
        let Tables { accounts, slots, codes, trie, .. } = &*self.tables;
        for table in [accounts, slots, codes, trie] {
            if !table.is_empty()? {
                table.clear()?;
            }
        }
        Ok(())
    }

    /// Makes everything committed so far survive power loss.
    pub fn sync(&self) -> Result<()> {
        Ok(self.database.persist(PersistMode::SyncData)?)
    }
}

/// The store as it was at one commit. Readers share it.
#[derive(Clone)]
pub struct Snapshot {
    inner: fjall::Snapshot,
    tables: Arc<Tables>,
}

impl Snapshot {
    fn row(&self, table: &Keyspace, key: &[u8]) -> Result<Option<fjall::Slice>> {
        Ok(self.inner.get(table, key)?)
    }

    pub fn height(&self) -> Result<Option<u64>> {
        self.meta_number(b"height")
    }

    /// The block whose trie the records are of.
    pub fn trie_height(&self) -> Result<Option<u64>> {
        self.meta_number(b"trie")
    }

    fn meta_number(&self, name: &[u8]) -> Result<Option<u64>> {
        Ok(self.row(&self.tables.meta, name)?.and_then(|row| Some(u64::from_be_bytes((&*row).try_into().ok()?))))
    }

    pub fn genesis(&self) -> Result<Option<StoredGenesis>> {
        let row = self.row(&self.tables.meta, b"genesis")?;
        Ok(row
            .filter(|row| row.len() == 64)
            .map(|row| StoredGenesis { digest: B256::from_slice(&row[..32]), root: B256::from_slice(&row[32..]) }))
    }

    /// Hash and encoding of a committed block's header.
    pub fn header(&self, number: u64) -> Result<Option<(B256, Vec<u8>)>> {
        let row = self.row(&self.tables.headers, &number.to_be_bytes())?;
        Ok(row.map(|row| (B256::from_slice(&row[..32]), row[32..].to_vec())))
    }

    pub fn code(&self, hash: &B256) -> Result<Option<Vec<u8>>> {
        Ok(self.row(&self.tables.codes, hash.as_slice())?.map(|row| row.to_vec()))
    }

    pub fn account(&self, key: &B256) -> Result<Option<Account>> {
        Ok(self.account_row(key)?.map(|(_, account)| account))
    }

    /// The account after block `number`.
    pub fn account_at(&self, key: &B256, number: u64) -> Result<Option<Account>> {
        Ok(self.account_row_at(key, number)?.map(|(_, account)| account))
    }

    /// The account with its address.
    pub fn account_row(&self, key: &B256) -> Result<Option<(Address, Account)>> {
        self.row(&self.tables.accounts, key.as_slice())?.map(|row| account_of(&row)).transpose()
    }

    pub fn account_row_at(&self, key: &B256, number: u64) -> Result<Option<(Address, Account)>> {
        match self.before(&self.tables.account_history, key.as_slice(), number + 1)? {
            None => self.account_row(key),
            Some(row) if row.is_empty() => Ok(None),
            Some(row) => account_of(&row).map(Some),
        }
    }

    /// Shows accounts, the same ones every time if there are more than `at_most`.
    pub fn each_account(&self, at_most: usize, mut show: impl FnMut(Address, Account)) -> Result<()> {
        for guard in self.inner.iter(&self.tables.accounts).take(at_most) {
            let (address, account) = account_of(&guard.value()?)?;
            show(address, account);
        }
        Ok(())
    }

    pub fn slot(&self, key: &[u8; 64]) -> Result<U256> {
        Ok(self.slot_row(key)?.map_or(U256::ZERO, |(value, _)| value))
    }

    /// The slot's value after block `number`.
    pub fn slot_at(&self, key: &[u8; 64], number: u64) -> Result<U256> {
        Ok(self.slot_row_at(key, number)?.map_or(U256::ZERO, |(value, _)| value))
    }

    /// Value and slot, None for zero.
    pub fn slot_row(&self, key: &[u8; 64]) -> Result<Option<(U256, U256)>> {
        self.row(&self.tables.slots, key)?.map(|row| slot_of(&row)).transpose()
    }

    pub fn slot_row_at(&self, key: &[u8; 64], number: u64) -> Result<Option<(U256, U256)>> {
        match self.before(&self.tables.slot_history, key, number + 1)? {
            None => self.slot_row(key),
            Some(row) if row.is_empty() => Ok(None),
            Some(row) => slot_of(&row).map(Some),
        }
    }

    /// The oldest history row of `key` from `block` on.
    fn before(&self, table: &Keyspace, key: &[u8], block: u64) -> Result<Option<fjall::Slice>> {
        let start = [key, &block.to_be_bytes()].concat();
        let stop = [key, &u64::MAX.to_be_bytes()].concat();
        match self.inner.range(table, start..=stop).next() {
            None => Ok(None),
            Some(guard) => Ok(Some(guard.value()?)),
        }
    }

    /// The keys of the accounts and slots that a committed block changed.
    pub fn changes(&self, number: u64) -> Result<(Vec<B256>, Vec<[u8; 64]>)> {
        let row = self.row(&self.tables.changes, &number.to_be_bytes())?;
        let row = row.ok_or_else(|| Error::Fatal(format!("state store: block {number} has no change set")))?;
        let damaged = || Error::Fatal(format!("state store: the change set of block {number} is damaged"));
        let (count, rest) = row.split_at_checked(4).ok_or_else(damaged)?;
        let count = u32::from_be_bytes(count.try_into().map_err(|_| damaged())?) as usize;
        let (accounts, slots) = rest.split_at_checked(32 * count).ok_or_else(damaged)?;
        let accounts = accounts.chunks_exact(32).map(B256::from_slice).collect();
        let slots = slots.chunks_exact(64).map(|key| key.try_into().map_err(|_| damaged())).collect::<Result<_>>()?;
        Ok((accounts, slots))
    }

    /// The leaves of a trie whose keys begin with `path`, from the flat rows.
    pub(super) fn leaves(&self, owner: &Owner, path: &Path) -> Result<Vec<(Path, Leaf)>> {
        let (table, head) = match owner {
            None => (&self.tables.accounts, Vec::new()),
            Some(owner) => (&self.tables.slots, owner.to_vec()),
        };
        let mut leaves = Vec::new();
        let start = [head.as_slice(), &first_key(path)].concat();
        let stop = [head.as_slice(), &last_key(path)].concat();
        for guard in self.inner.range(table, start..=stop) {
            let (key, row) = guard.into_inner()?;
            let key = Path::of_bytes(&key[head.len()..]);
            let leaf = if owner.is_none() { account_leaf(&account_of(&row)?.1) } else { slot_leaf(slot_of(&row)?.0) };
            leaves.push((key, leaf));
        }
        Ok(leaves)
    }

    /// The branch at `path` of `owner`'s trie, if there is a record of it.
    pub(super) fn branch(&self, owner: &Owner, path: &Path) -> Result<Option<Child>> {
        let Some(record) = self.row(&self.tables.trie, &trie_key(owner, path))? else { return Ok(None) };
        let branch = branch_of_record(&record).ok_or_else(|| damaged_record(path))?;
        Ok(Some(Child::read_branch(branch)))
    }

    /// The accounts' trie with this root, in memory down to `depth`; for a very large one only its first part.
    pub fn upper_trie(&self, root: B256, depth: usize) -> Result<Child> {
        let mut records = Vec::new();
        for guard in self.inner.prefix(&self.tables.trie, [ACCOUNTS_TRIE]).take(RECORDS_READ) {
            let (key, record) = guard.into_inner()?;
            let nibbles = &key[1..];
            // The longer keys are of storage tries whose owners' hashes begin with the same byte.
            if nibbles.len() <= depth && nibbles.iter().all(|nibble| *nibble < 16) {
                let path = Path::of_nibbles(nibbles);
                records.push((path, branch_of_record(&record).ok_or_else(|| damaged_record(&path))?));
            }
        }
        Ok(upper_part(root, records))
    }
}

impl Source for Snapshot {
    fn load(&self, owner: &Owner, path: &Path, branch: bool) -> Result<Child> {
        if branch && let Some(branch) = self.branch(owner, path)? {
            return Ok(branch);
        }
        Ok(subtrie_of_leaves(path.len(), self.leaves(owner, path)?))
    }
}

/// The key of a trie record. Nibbles are below 16, so the byte before the path keeps the tries apart.
pub fn trie_key(owner: &Owner, path: &Path) -> Vec<u8> {
    match owner {
        None => [&[ACCOUNTS_TRIE], path.nibbles()].concat(),
        Some(owner) => [owner.as_slice(), &[0xff], path.nibbles()].concat(),
    }
}

fn first_key(path: &Path) -> [u8; 32] {
    fill_key(path, 0)
}

fn last_key(path: &Path) -> [u8; 32] {
    fill_key(path, 15)
}

fn fill_key(path: &Path, nibble: u8) -> [u8; 32] {
    let mut key = [nibble << 4 | nibble; 32];
    for (place, nibble) in path.nibbles().iter().enumerate() {
        let byte = &mut key[place / 2];
        *byte = if place % 2 == 0 { nibble << 4 | *byte & 15 } else { *byte & 0xf0 | nibble };
    }
    key
}

fn account_of(row: &[u8]) -> Result<(Address, Account)> {
    Account::of_row(row).ok_or_else(damaged_row)
}

/// Value and slot of a row of the slots.
pub fn slot_of(row: &[u8]) -> Result<(U256, U256)> {
    let mut rest = row;
    let value = take_integer(&mut rest).ok_or_else(damaged_row)?;
    let slot = U256::try_from_be_slice(rest).ok_or_else(damaged_row)?;
    Ok((value, slot))
}

fn damaged_record(path: &Path) -> Error {
    Error::Fatal(format!("state store: the trie record at {path:?} is damaged"))
}

fn damaged_row() -> Error {
    Error::Fatal("state store: a row is damaged".into())
}

/// The leaf of an account, its path yet to be set.
pub(super) fn account_leaf(account: &Account) -> Leaf {
    let value = crate::trie::account_leaf(account.nonce, account.balance, account.storage_root, account.code_hash);
    Leaf { path: Path::EMPTY, value, storage: Child::of_root(account.storage_root) }
}

/// The leaf of a slot, its path yet to be set.
pub(super) fn slot_leaf(slot: U256) -> Leaf {
    let mut value = Vec::with_capacity(33);
    crate::codec::rlp::put_uint(&mut value, slot);
    Leaf { path: Path::EMPTY, value, storage: Child::Empty }
}
