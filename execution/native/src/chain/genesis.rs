//! The state of block 0 from the accounts of a genesis file.

use alloy_primitives::map::AddressMap;
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, Keccak256, U256, keccak256};
use rayon::prelude::*;

use crate::codec::header::EMPTY_ROOT;
use crate::error::{Error, Result};
use crate::keccak;
use crate::state::{Account, AccountDiff, Diff, Layer, SlotDiff, Store, bytecode, store_slot_key, write_genesis_part};
use crate::trie::{Child, Context, Flush, InMemory, Source, prune, update};

/// An account that exists before block 1.
#[derive(Debug, Clone, Default)]
pub struct GenesisAccount {
    pub address: Address,
    pub balance: U256,
    pub nonce: u64,
    pub code: Bytes,
    pub storage: Vec<(U256, U256)>,
}

/// The accounts of a genesis in columns: one that has a balance alone takes 52 bytes, and nothing is made for it.
#[derive(Debug)]
pub struct GenesisAccounts<'a> {
    addresses: &'a [[u8; 20]],
    balances: &'a [[u8; 32]],
    others: AddressMap<GenesisAccount>,
}

impl<'a> GenesisAccounts<'a> {
    /// Addresses in strictly ascending order, the balance of each, big-endian, and all of those accounts that have more
    /// than that. None if the columns do not fit together.
    pub fn new(addresses: &'a [u8], balances: &'a [u8], others: Vec<GenesisAccount>) -> Option<Self> {
        let ((addresses, []), (balances, [])) = (addresses.as_chunks(), balances.as_chunks()) else { return None };
        let whole = addresses.len() == balances.len() && addresses.is_sorted_by(|one, next| one < next);
        let known = |account: &GenesisAccount| addresses.binary_search(&account.address).is_ok();
        if !whole || !others.iter().all(known) {
            return None;
        }
        let others = others.into_iter().map(|account| (account.address, account)).collect();
        Some(Self { addresses, balances, others })
    }

    fn account(&self, place: usize) -> GenesisAccount {
        let (address, balance) = (Address::from(self.addresses[place]), U256::from_be_bytes(self.balances[place]));
        let other = if self.others.is_empty() { None } else { self.others.get(&address) };
        GenesisAccount { address, balance, ..other.cloned().unwrap_or_default() }
    }

    /// A digest that differs whenever the accounts do.
    pub fn digest(&self) -> B256 {
        let mut hasher = Keccak256::new();
        for account in (0..self.addresses.len()).map(|place| self.account(place)) {
            hasher.update(account.address);
            hasher.update(account.balance.to_be_bytes::<32>());
            hasher.update(account.nonce.to_be_bytes());
            hasher.update(if account.code.is_empty() { KECCAK256_EMPTY } else { keccak256(&account.code) });
            hasher.update((account.storage.len() as u64).to_be_bytes());
            for (slot, value) in &account.storage {
                hasher.update(slot.to_be_bytes::<32>());
                hasher.update(value.to_be_bytes::<32>());
            }
        }
        hasher.finalize()
    }

    /// The hashed addresses in ascending order, each with the place of its account.
    fn order(&self) -> Vec<(B256, u32)> {
        let hashed: Vec<Vec<B256>> = self.addresses.par_chunks(PART).map(keccak::digests).collect();
        let mut order: Vec<_> = hashed.into_iter().flatten().zip(0..).collect();
        order.par_sort_unstable();
        order
    }
}

/// Accounts that are written at a time: what bounds the memory of a large genesis.
const PART: usize = 32_768;

/// Writes the state of the accounts, part by part in the order of their keys, and returns its root.
///
/// Accounts without anything are kept as they are, as other clients do.
pub fn write(store: &Store, accounts: &GenesisAccounts<'_>) -> Result<B256> {
    let mut trie = Child::Empty;
    for part in accounts.order().chunks(PART) {
        let mut layer = Layer::default();
        for (_, place) in part {
            let account = accounts.account(*place as usize);
            let nothing = account.nonce == 0 && account.balance.is_zero() && account.code.is_empty();
            if nothing && !account.storage.is_empty() {
                let address = account.address;
                let text = format!("genesis account {address} has storage and nothing else: any touch would delete it");
                return Err(Error::Fatal(text));
            }
            insert(&mut layer, &account);
        }
        let (layer, grown) = extend(trie, layer, &store.snapshot())?;
        write_genesis_part(store, &rows(&layer), Flush::of(&grown))?;
        trie = prune(&grown, 0);
    }
    Ok(trie.root())
}

/// Adds an account to `layer`, whatever it has.
pub fn insert(layer: &mut Layer, account: &GenesisAccount) {
    let code_hash = if account.code.is_empty() { KECCAK256_EMPTY } else { keccak256(&account.code) };
    if !account.code.is_empty() {
        layer.codes.insert(code_hash, bytecode(account.code.clone()));
    }
    let state = Account { nonce: account.nonce, balance: account.balance, code_hash, storage_root: EMPTY_ROOT };
    layer.accounts.insert(account.address, Some(state));
    layer.created.insert(account.address);
    let slots = account.storage.iter().filter(|(_, value)| !value.is_zero()).copied();
    if !account.storage.is_empty() {
        layer.slots.insert(account.address, slots.collect());
    }
}

/// The layer with its storage roots, and the trie of it all.
pub fn with_trie(layer: Layer) -> Result<(Layer, Child)> {
    extend(Child::Empty, layer, &InMemory)
}

/// The layer with its storage roots, and `trie` with its accounts.
fn extend(trie: Child, mut layer: Layer, source: &dyn Source) -> Result<(Layer, Child)> {
    let (gone, roots) = (std::sync::Mutex::default(), std::sync::Mutex::default());
    let context = Context { source, owner: None, gone: &gone, storage_roots: &roots };
    let trie = update(trie, &layer.changes(), &context)?;
    let roots: alloy_primitives::map::B256Map<B256> = roots.into_inner().unwrap_or_default().into_iter().collect();
    if !roots.is_empty() {
        for (address, account) in &mut layer.accounts {
            if let (Some(account), Some(root)) = (account, roots.get(&keccak256(address))) {
                account.storage_root = *root;
            }
        }
    }
    Ok((layer, trie))
}

/// The rows of the state that `layer` is.
fn rows(layer: &Layer) -> Diff {
    let mut diff = Diff::default();
    for (address, new) in &layer.accounts {
        let key = keccak256(address);
        diff.accounts.push(AccountDiff { key, address: *address, old: None, new: *new });
        for (slot, new) in layer.slots.get(address).into_iter().flatten() {
            diff.slots.push(SlotDiff { key: store_slot_key(&key, slot), slot: *slot, old: U256::ZERO, new: *new });
        }
    }
    diff.codes = layer.codes.iter().map(|(hash, code)| (*hash, code.original_bytes())).collect();
    diff
}
