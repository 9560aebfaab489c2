//! Whatever bytes come in, decoding answers and never panics. `DECODINGS` sets how many are tried.

use alloy_primitives::{Bytes, U256, hex, keccak256};
use revm::primitives::hardfork::SpecId;
use rollup_sequencer_native::codec::header::Header;
use rollup_sequencer_native::codec::transaction::Transaction;
use rollup_sequencer_native::recover::{EntryRules, recover_all};
use rollup_sequencer_native::signer::signature;
use rollup_sequencer_native::state::Account;
use rollup_sequencer_native::trie::branch_of_record;

/// One transaction of each type as seeds: legacy, access list, dynamic fee, blob, set code.
const SEEDS: [&str; 5] = [
    "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83",
    "01f85a01800182520894353535353535353535353535353535353535353501820102d7d694353535353535353535353535353535353535353580c00180a0010101010101010101010101010101010101010101010101010101010101010180",
    "02f8650180010a82520894353535353535353535353535353535353535353501820102c080a00101010101010101010101010101010101010101010101010101010101010101a00101010101010101010101010101010101010101010101010101010101010101",
    "03f8880180010a82520894353535353535353535353535353535353535353501820102c00ae1a0010000000000000000000000000000000000000000000000000000000000000080a00101010101010101010101010101010101010101010101010101010101010101a00101010101010101010101010101010101010101010101010101010101010101",
    "04f8840180010a82520894353535353535353535353535353535353535353501820102c0dedd0194353535353535353535353535353535353535353580800a0b80a00101010101010101010101010101010101010101010101010101010101010101a00101010101010101010101010101010101010101010101010101010101010101",
];

/// A generator that needs no library and repeats itself in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn byte(&mut self) -> u8 {
        const EDGES: [u8; 12] = [0, 1, 0x7f, 0x80, 0x81, 0xb7, 0xb8, 0xbf, 0xc0, 0xf7, 0xf8, 0xff];
        if self.below(2) == 0 { EDGES[self.below(EDGES.len())] } else { self.below(256) as u8 }
    }

    /// A seed with a few bytes changed, removed, added or cut off.
    fn damaged(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len().max(1));
            match self.below(4) {
                0 if at < bytes.len() => bytes[at] = self.byte(),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 => bytes.insert(at.min(bytes.len()), self.byte()),
                _ if self.below(4) == 0 => bytes.truncate(at),
                _ => {}
            }
        }
        bytes
    }
}

#[test]
fn damaged_bytes_are_answered() {
    let count = std::env::var("DECODINGS").map_or(200_000, |text| text.parse().unwrap());
    let seeds: Vec<Vec<u8>> = SEEDS.iter().map(|seed| hex::decode(seed).unwrap()).collect();
    let rules = EntryRules {
        chain_id: U256::from(1),
        fork: SpecId::OSAKA,
        gas_limit: u64::MAX,
        minimum_fee: U256::ZERO,
        minimum_tip: U256::ZERO,
        size_limit: 1 << 17,
    };
    let mut chance = Chance(7);
    let mut decoded = 0u32;
    for _ in 0..count {
        let bytes = chance.damaged(&seeds);
        if let Ok(transaction) = Transaction::decode(Bytes::from(bytes.clone())) {
            assert_eq!(transaction.hash, keccak256(&bytes));
            decoded += 1;
        }
        if chance.below(8) == 0 {
            let intact = seeds.iter().map(|seed| Bytes::from(seed.clone()));
            let raws: Vec<_> = std::iter::once(Bytes::from(bytes.clone())).chain(intact).collect();
            assert_eq!(recover_all(&raws, &rules).len(), raws.len());
        }
        let _ = (Header::decode(&bytes), Account::of_row(&bytes), branch_of_record(&bytes));
    }
    assert!(decoded > 0, "some of what was damaged still decodes");
}

#[test]
fn signatures_out_of_range_are_refused() {
    let order = U256::from_be_slice(&hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"));
    let one = U256::from(1);
    for (r, s, parity) in [
        (U256::ZERO, one, 0),
        (one, U256::ZERO, 0),
        (order, one, 0),
        (one, order - one, 0),
        (one, one, 2),
        (U256::MAX, U256::MAX, 1),
    ] {
        assert!(signature(keccak256(b"digest"), r, s, parity).is_err());
    }
}
