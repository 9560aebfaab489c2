//! A state to read from: the store at one commit, and the layers above it. Never changes once made.

use std::sync::{Arc, Mutex};

use alloy_primitives::map::B256Map;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use revm::bytecode::Bytecode;

use super::account::Account;
use super::database::Before;
use super::layer::{Layer, slot_key};
use super::store::Snapshot;
use crate::codec::header::Header;
use crate::error::{Error, Result};
use crate::trie::{Child, Gone};

/// A block that is closed: readable at once, in the store only after its commit.
#[derive(Debug)]
pub struct Sealed {
    pub header: Header,
    pub hash: B256,
    pub encoded: Vec<u8>,
    pub layer: Layer,
    /// What the block found where it left something else.
    pub before: Before,
    /// The state's trie after the block.
    pub trie: Child,
    pub gone: Gone,
}

/// Analysed code by hash, shared by everyone who reads.
#[derive(Debug, Default)]
pub struct Codes(Mutex<B256Map<Bytecode>>);

/// How many codes are kept: at most 24 KiB of code each and as much again for its analysis.
const CODES: usize = 4096;

impl Codes {
    fn get(&self, hash: &B256) -> Option<Bytecode> {
        self.0.lock().ok()?.get(hash).cloned()
    }

    fn put(&self, hash: B256, code: Bytecode) {
        if let Ok(mut codes) = self.0.lock() {
            if codes.len() >= CODES {
                codes.clear();
            }
            codes.insert(hash, code);
        }
    }
}

/// The state after block `at`, or inside the open block on top of it.
#[derive(Clone)]
pub struct View {
    /// Of the open block, oldest first.
    pub open: Vec<Arc<Layer>>,
    /// Not yet committed, oldest first.
    pub sealed: Vec<Arc<Sealed>>,
    /// None for a state that lives in memory only.
    pub snapshot: Option<Snapshot>,
    pub committed: u64,
    pub at: u64,
    pub codes: Arc<Codes>,
}

impl View {
    /// A state of its own, of these accounts.
    pub fn in_memory(layer: Layer) -> Self {
        Self {
            open: vec![Arc::new(layer)],
            sealed: Vec::new(),
            snapshot: None,
            committed: 0,
            at: 0,
            codes: Arc::default(),
        }
    }

    pub fn account(&self, address: &Address) -> Result<Option<Account>> {
        let open = self.open.iter().rev().find_map(|layer| layer.accounts.get(address));
        let newest = || self.sealed.iter().rev().find_map(|block| block.layer.accounts.get(address));
        if let Some(account) = open.or_else(newest) {
            return Ok(*account);
        }
        let Some(snapshot) = &self.snapshot else { return Ok(None) };
        let key = keccak256(address);
        if self.at < self.committed { snapshot.account_at(&key, self.at) } else { snapshot.account(&key) }
    }

    pub fn slot(&self, address: &Address, slot: &U256) -> Result<U256> {
        let open = self.open.iter().rev().find_map(|layer| layer.slot(address, slot));
        let newest = || self.sealed.iter().rev().find_map(|block| block.layer.slot(address, slot));
        if let Some(value) = open.or_else(newest) {
            return Ok(value);
        }
        let Some(snapshot) = &self.snapshot else { return Ok(U256::ZERO) };
        let key = store_slot_key(&keccak256(address), slot);
        if self.at < self.committed { snapshot.slot_at(&key, self.at) } else { snapshot.slot(&key) }
    }

    pub fn code(&self, hash: &B256) -> Result<Bytecode> {
        let open = self.open.iter().rev().find_map(|layer| layer.codes.get(hash));
        let newest = || self.sealed.iter().rev().find_map(|block| block.layer.codes.get(hash));
        if let Some(code) = open.or_else(newest) {
            return Ok(code.clone());
        }
        if let Some(code) = self.codes.get(hash) {
            return Ok(code);
        }
        let stored = self.snapshot.as_ref().map_or(Ok(None), |snapshot| snapshot.code(hash))?;
        let raw = stored.ok_or_else(|| Error::Fatal(format!("state store: no code {hash}")))?;
        let code = bytecode(Bytes::from(raw));
        self.codes.put(*hash, code.clone());
        Ok(code)
    }

    /// The hash of a sealed block, zero for one that is not there.
    pub fn block_hash(&self, number: u64) -> Result<B256> {
        if let Some(block) = self.sealed.iter().find(|block| block.header.number == number) {
            return Ok(block.hash);
        }
        let Some(snapshot) = &self.snapshot else { return Ok(B256::ZERO) };
        Ok(snapshot.header(number)?.map_or(B256::ZERO, |(hash, _)| hash))
    }
}

/// Code as revm runs it. What begins as a delegation does and is none runs as any other code: to its first byte, which
/// is no instruction (EIP-3541). No transaction deploys such code, but a genesis file or an override may hold it.
pub fn bytecode(raw: Bytes) -> Bytecode {
    Bytecode::new_raw_checked(raw.clone()).unwrap_or_else(|_| Bytecode::new_legacy(raw))
}

/// The key of a slot's row.
pub fn store_slot_key(account: &B256, slot: &U256) -> [u8; 64] {
    let mut key = [0; 64];
    key[..32].copy_from_slice(account.as_slice());
    key[32..].copy_from_slice(slot_key(slot).as_slice());
    key
}
