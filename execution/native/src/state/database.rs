//! The state as revm reads it, and the way back from what revm changed to a layer.

use alloy_primitives::map::{AddressMap, AddressSet, B256Map, HashMap};
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, keccak256};
use revm::Database;
use revm::bytecode::Bytecode;
use revm::primitives::hardfork::SpecId;
use revm::state::{AccountInfo, EvmState};

use super::account::Account;
use super::known_accounts::KnownAccounts;
use super::layer::Layer;
use super::view::{View, bytecode};
use crate::codec::header::EMPTY_ROOT;
use crate::error::{Error, Result};

/// Values read or written lately: a cache above a view, always equal to what the view would say.
#[derive(Debug, Default)]
pub struct Hot {
    /// Never has an account that `accounts` has.
    known: KnownAccounts,
    accounts: AddressMap<Option<Account>>,
    slots: HashMap<(Address, U256), U256>,
    codes: B256Map<Bytecode>,
}

/// Entries of each kind; some 30 MB when full.
const HOT: usize = 1 << 17;

impl Hot {
    /// Knows so many accounts without code and storage besides. Only then it forgets by itself.
    pub fn knowing(accounts: usize) -> Self {
        Self { known: KnownAccounts::with_room(accounts), ..Self::default() }
    }

    /// Takes an account in that nobody asked for yet, if there is a place for it.
    pub fn learn(&mut self, address: &Address, account: &Account) {
        self.known.put(address, Some(account));
    }

    /// Starts over when full: what is in use comes back soon, and no bookkeeping slows a hit.
    pub fn limit(&mut self) {
        if self.accounts.len() > HOT || self.slots.len() > HOT || self.codes.len() > HOT >> 6 {
            self.forget([]);
        }
    }

    /// Keeps nothing but accounts other than these.
    pub fn forget<'a>(&mut self, accounts: impl IntoIterator<Item = &'a Address>) {
        let mut known = std::mem::take(&mut self.known);
        accounts.into_iter().for_each(|address| known.forget(address));
        *self = Self { known, ..Self::default() };
    }

    /// Takes over the storage roots that sealing a block found.
    pub fn set_storage_root(&mut self, address: &Address, root: B256) {
        if let Some(Some(account)) = self.account(address) {
            self.set_account(*address, Some(Account { storage_root: root, ..account }));
        }
    }

    pub fn set_account(&mut self, address: Address, account: Option<Account>) {
        if self.known.put(&address, account.as_ref()) {
            self.accounts.remove(&address);
        } else {
            self.accounts.insert(address, account);
        }
    }

    fn account(&self, address: &Address) -> Option<Option<Account>> {
        self.known.get(address).map(Some).or_else(|| self.accounts.get(address).copied())
    }
}

/// What a call wants to find instead of the real account.
#[derive(Debug, Default)]
pub struct Override {
    pub balance: Option<U256>,
    pub nonce: Option<u64>,
    pub code: Option<Vec<u8>>,
    /// Replaces the whole storage.
    pub state: Option<Vec<(U256, U256)>>,
    /// Replaces single slots.
    pub state_diff: Vec<(U256, U256)>,
    /// Where the precompile at the account's address goes.
    pub moved_to: Option<Address>,
}

/// A view and a cache, as one revm database.
pub struct StateDb {
    pub view: View,
    pub hot: Hot,
    /// Who sends the transaction that runs.
    pub sender: Address,
    /// Accounts whose storage was replaced: what is not in the cache is zero.
    replaced: AddressSet,
    /// Accounts with storage but neither nonce nor code. No contract may be created over them (EIP-7610), which
    /// revm only sees by the nonce: they get one, which no instruction can read, and which `absorb` takes back.
    guarded: AddressSet,
    /// Blocks from this number on are not there, except those of `simulated`.
    pub blocks_below: u64,
    /// Hashes of blocks that exist in this database only.
    pub simulated: HashMap<u64, B256>,
}

impl StateDb {
    pub fn new(view: View, hot: Hot) -> Self {
        Self {
            view,
            hot,
            sender: Address::ZERO,
            replaced: AddressSet::default(),
            guarded: AddressSet::default(),
            blocks_below: u64::MAX,
            simulated: HashMap::default(),
        }
    }

    pub fn account(&mut self, address: &Address) -> Result<Option<Account>> {
        if let Some(account) = self.hot.account(address) {
            return Ok(account);
        }
        let account = self.view.account(address)?;
        self.hot.set_account(*address, account);
        Ok(account)
    }

    fn slot(&mut self, address: Address, slot: U256) -> Result<U256> {
        if let Some(value) = self.hot.slots.get(&(address, slot)) {
            return Ok(*value);
        }
        if self.replaced.contains(&address) {
            return Ok(U256::ZERO);
        }
        let value = self.view.slot(&address, &slot)?;
        self.hot.slots.insert((address, slot), value);
        Ok(value)
    }

    fn code(&mut self, hash: B256) -> Result<Bytecode> {
        if hash == KECCAK256_EMPTY {
            return Ok(Bytecode::default());
        }
        if let Some(code) = self.hot.codes.get(&hash) {
            return Ok(code.clone());
        }
        let code = self.view.code(&hash)?;
        self.hot.codes.insert(hash, code.clone());
        Ok(code)
    }

    /// Puts `with` in place of the real account, for this database only.
    pub fn replace(&mut self, address: Address, with: Override) -> Result<()> {
        let mut account = self.account(&address)?.unwrap_or_default();
        account.balance = with.balance.unwrap_or(account.balance);
        account.nonce = with.nonce.unwrap_or(account.nonce);
        if let Some(code) = with.code {
            account.code_hash = keccak256(&code);
            self.hot.codes.insert(account.code_hash, bytecode(code.into()));
        }
        if with.state.is_some() {
            account.storage_root = EMPTY_ROOT;
        }
        self.hot.set_account(address, Some(account));
        if let Some(state) = with.state {
            self.hot.slots.retain(|(owner, _), _| *owner != address);
            self.hot.slots.extend(state.into_iter().map(|(slot, value)| ((address, slot), value)));
            self.replaced.insert(address);
        }
        self.hot.slots.extend(with.state_diff.into_iter().map(|(slot, value)| ((address, slot), value)));
        Ok(())
    }

    /// What `state` changed, as a layer, with the values before; the cache then says the new ones.
    ///
    /// revm's own notion of what changed is per transaction; several ran here, so values are compared with
    /// what this database said when they were first read.
    /// After an error the cache is of no use.
    pub fn absorb(&mut self, state: EvmState, before: &mut Before) -> Result<Layer> {
        let mut layer = Layer::default();
        for (address, account) in state {
            if !account.is_touched() {
                continue;
            }
            let old = self.account(&address)?;
            let lives = !account.is_selfdestructed_locally() && !account.info.is_empty();
            let new = lives.then(|| Account {
                nonce: account.info.nonce - u64::from(self.guarded.contains(&address)),
                balance: account.info.balance,
                code_hash: account.info.code_hash,
                storage_root: old.unwrap_or_default().storage_root,
            });
            let mut slots_changed = false;
            if lives {
                for (slot, value) in account.storage {
                    let old_value = self.hot.slots.get(&(address, slot)).copied().unwrap_or_default();
                    if old_value != value.present_value {
                        slots_changed = true;
                        before.slots.entry((address, slot)).or_insert(old_value);
                        self.hot.slots.insert((address, slot), value.present_value);
                        layer.slots.entry(address).or_default().insert(slot, value.present_value);
                    }
                }
            }
            if new == old && !slots_changed {
                continue;
            }
            if let (Some(new), Some(code)) = (new, account.info.code)
                && !code.is_empty()
                && old.is_none_or(|old| old.code_hash != new.code_hash)
            {
                self.hot.codes.insert(new.code_hash, code.clone());
                layer.codes.insert(new.code_hash, code);
            }
            if old.is_none() {
                layer.created.insert(address);
            }
            before.accounts.entry(address).or_insert(old);
            self.hot.set_account(address, new);
            layer.accounts.insert(address, new);
        }
        Ok(layer)
    }
}

/// The values that a block found before it first changed them.
#[derive(Debug, Default)]
pub struct Before {
    pub accounts: AddressMap<Option<Account>>,
    pub slots: HashMap<(Address, U256), U256>,
}

impl Database for StateDb {
    type Error = Error;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>> {
        let Some(account) = self.account(&address)? else { return Ok(None) };
        let plain = account.code_hash == KECCAK256_EMPTY;
        let guarded = plain && account.nonce == 0 && account.storage_root != EMPTY_ROOT && address != self.sender;
        if guarded {
            self.guarded.insert(address);
        }
        Ok(Some(AccountInfo {
            balance: account.balance,
            nonce: account.nonce + u64::from(guarded),
            code_hash: account.code_hash,
            account_id: None,
            code: plain.then(Bytecode::default),
        }))
    }

    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode> {
        self.code(code_hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256> {
        self.slot(address, slot)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256> {
        match self.simulated.get(&number) {
            Some(hash) => Ok(*hash),
            None if number >= self.blocks_below => Ok(B256::ZERO),
            None => self.view.block_hash(number),
        }
    }
}

/// The forks that this engine runs, by their names in chain files.
pub const FORKS: [(&str, SpecId); 3] =
    [("cancun", SpecId::CANCUN), ("prague", SpecId::PRAGUE), ("osaka", SpecId::OSAKA)];

/// The fork of this name.
pub fn fork_of(name: &str) -> Option<SpecId> {
    FORKS.iter().find(|(known, _)| *known == name).map(|(_, fork)| *fork)
}
