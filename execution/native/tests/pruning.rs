//! What of the trie is in memory never shows: an engine that forgets all it can after every block seals the same
//! headers as one that forgets nothing, through commits that lag, unwinds and restarts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use revm::primitives::hardfork::SpecId;
use rollup_sequencer_native::chain::{
    At, Attributes, Engine, GenesisAccount, GenesisAccounts, Memory, SealedBlock, Spec,
};
use rollup_sequencer_native::codec::header::Header;
use rollup_sequencer_native::codec::transaction::Transaction;
use rollup_sequencer_native::recover::{Recovered, with_sender};

const USERS: u64 = 40;
const NOTHING: Memory = Memory { unwritten: 0, grown: 0, kept_depth: 0, accounts: 8 };
/// Stores its trie every few blocks only, so that unwinds and restarts find it behind.
const LAZY: Memory = Memory { unwritten: 150, ..NOTHING };
const STORE: Address = Address::repeat_byte(0xc0);

fn user(number: u64) -> Address {
    Address::from_slice(&keccak256(number.to_be_bytes())[12..])
}

fn genesis() -> Vec<GenesisAccount> {
    let balance = U256::from(10u64.pow(18));
    let mut accounts: Vec<_> = (0..USERS)
        .map(|number| GenesisAccount { address: user(number), balance, ..GenesisAccount::default() })
        .collect();
    // storage[calldata word 0] = calldata word 1
    let code = Bytes::from_static(&[0x60, 0x20, 0x35, 0x5f, 0x35, 0x55, 0x00]);
    accounts.push(GenesisAccount { address: STORE, nonce: 1, code, ..GenesisAccount::default() });
    accounts
}

fn transaction(sender: u64, nonce: u64, to: Address, data: Vec<u8>) -> Arc<Recovered> {
    let raw: Bytes = [&sender.to_be_bytes()[..], &nonce.to_be_bytes()].concat().into();
    let transaction = Transaction {
        hash: keccak256(&raw),
        signing_hash: B256::ZERO,
        kind: 0,
        chain_id: None,
        nonce,
        max_priority_fee: U256::from(7),
        max_fee: U256::from(7),
        gas_limit: 100_000,
        to: Some(to),
        value: U256::from(u64::from(data.is_empty())),
        data: data.into(),
        access_list: Vec::new(),
        authorizations: Vec::new(),
        blob_hashes: Vec::new(),
        max_fee_per_blob_gas: U256::ZERO,
        y_parity: 0,
        r: U256::ZERO,
        s: U256::ZERO,
        raw,
    };
    Arc::new(with_sender(transaction, user(sender)))
}

/// Block `number`: transfers to new accounts, and slots that are set and emptied again later.
fn transactions(number: u64) -> Vec<Arc<Recovered>> {
    let word = |value: u64| U256::from(value).to_be_bytes::<32>();
    (0..USERS)
        .map(|sender| {
            let to = Address::from_slice(&keccak256([number.to_be_bytes(), sender.to_be_bytes()].concat())[12..]);
            if sender % 2 == 0 {
                return transaction(sender, number - 1, to, Vec::new());
            }
            let slot = (number * USERS + sender) % 97;
            let value = if number.is_multiple_of(3) { 0 } else { number };
            transaction(sender, number - 1, STORE, [word(slot), word(value)].concat())
        })
        .collect()
}

fn open(path: &Path, memory: Memory) -> (Engine, B256) {
    let engine = Engine::with_memory(path, memory).unwrap();
    let mut accounts = genesis();
    accounts.sort_unstable_by_key(|account| account.address);
    let addresses: Vec<u8> = accounts.iter().flat_map(|account| account.address).collect();
    let balances: Vec<u8> = accounts.iter().flat_map(|account| account.balance.to_be_bytes::<32>()).collect();
    let columns = GenesisAccounts::new(&addresses, &balances, accounts).unwrap();
    let root = engine.open_genesis(&columns).unwrap();
    let header = Header {
        parent_hash: B256::ZERO,
        coinbase: Address::ZERO,
        state_root: root,
        transactions_root: rollup_sequencer_native::codec::header::EMPTY_ROOT,
        receipts_root: rollup_sequencer_native::codec::header::EMPTY_ROOT,
        logs_bloom: Box::new([0; 256]),
        number: 0,
        gas_limit: 30_000_000,
        gas_used: 0,
        timestamp: 0,
        extra_data: Vec::new(),
        prev_randao: B256::ZERO,
        base_fee: 7,
        parent_beacon_block_root: B256::ZERO,
        blob_gas_used: 0,
        with_requests: true,
    };
    let spec = Spec { chain_id: 1, forks: vec![(SpecId::PRAGUE, 0)], fee_vault: Address::repeat_byte(0xfe) };
    engine.open(spec, &header).unwrap();
    (engine, header.hash())
}

fn build(engine: &Engine, number: u64, parent_hash: B256) -> SealedBlock {
    engine
        .begin(Attributes {
            number,
            parent_hash,
            timestamp: number,
            gas_limit: 30_000_000,
            base_fee: 7,
            coinbase: Address::repeat_byte(0xcb),
            prev_randao: B256::ZERO,
            extra_data: Vec::new(),
            parent_beacon_block_root: B256::ZERO,
        })
        .unwrap();
    for part in transactions(number).chunks(7) {
        assert!(engine.apply(part).unwrap().iter().all(|answer| answer.as_ref().is_ok_and(|done| done.succeeded)));
    }
    engine.seal().unwrap()
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pruning-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn an_engine_that_forgets_seals_the_same_headers() {
    compare("forgets", NOTHING);
}

#[test]
fn an_engine_that_opens_with_the_upper_part_seals_the_same_headers() {
    compare("keeps-some", Memory { kept_depth: 1, accounts: 16, ..NOTHING });
    compare("keeps-more", Memory { kept_depth: 3, accounts: 1_000, ..NOTHING });
}

#[test]
fn an_engine_whose_stored_trie_lags_seals_the_same_headers() {
    compare("lags", LAZY);
    compare("keeps", Memory { unwritten: usize::MAX, ..NOTHING });
}

fn compare(name: &str, memory: Memory) {
    let (whole_folder, pruned_folder) = (Folder::new(&format!("{name}-whole")), Folder::new(name));
    let (whole, first) = open(&whole_folder.0, Memory::default());
    let (mut pruned, _) = open(&pruned_folder.0, memory);
    let mut hashes = vec![first];
    for number in 1..=60u64 {
        let expected = build(&whole, number, hashes[number as usize - 1]);
        whole.commit(number).unwrap();
        let sealed = build(&pruned, number, hashes[number as usize - 1]);
        assert_eq!(sealed.header, expected.header, "block {number}");
        hashes.push(sealed.hash);
        // Commits lag behind by up to three blocks, so that pruning meets nodes that are not stored.
        pruned.commit(number.saturating_sub(number % 4)).unwrap();
        if number % 13 == 0 {
            pruned.commit(number).unwrap();
            let back = number - 6;
            pruned.unwind(back).unwrap();
            for again in back + 1..=number {
                assert_eq!(build(&pruned, again, hashes[again as usize - 1]).hash, hashes[again as usize]);
            }
        }
        if number % 17 == 0 {
            pruned.commit(number).unwrap();
            if number % 2 == 0 {
                pruned.settle().unwrap();
            }
            drop(pruned);
            pruned = open(&pruned_folder.0, memory).0;
            assert_eq!(pruned.height().unwrap(), number);
        }
    }
    for number in [0, 1, 30, 59] {
        let account = |engine: &Engine| engine.view(At::Block(number)).unwrap().0.account(&user(1)).unwrap();
        assert_eq!(account(&whole), account(&pruned));
        let root = |engine: &Engine| engine.trie_at(number).unwrap().0.root();
        assert_eq!(root(&whole), root(&pruned));
    }
}
