//! The transactions section of a batch body: it comes back, it shrinks, and no bytes but its own are read.

use rollup_sequencer_native::batch::{Bounds, decode, encode};
use rollup_sequencer_native::codec::rlp;

const BOUNDS: Bounds = Bounds { transaction: 1 << 24, data: 1 << 25 };

/// A token transfer of type 2 with an invented signature.
fn transfer(nonce: u64, holder: u8) -> Vec<u8> {
    let mut call = [0; 68];
    call[..4].copy_from_slice(&[0xa9, 0x05, 0x9c, 0xbb]);
    call[16..36].fill(holder);
    call[60..].copy_from_slice(&(u64::from(holder) * 1_000_000_000).to_be_bytes());
    let mut payload = Vec::new();
    for number in [901, nonce, 1_000_000_000, 10_000_000_000, 60_000] {
        rlp::put_u64(&mut payload, number);
    }
    rlp::put_bytes(&mut payload, &[0x70; 20]);
    rlp::put_u64(&mut payload, 0);
    rlp::put_bytes(&mut payload, &call);
    rlp::put_list(&mut payload, &[]);
    rlp::put_u64(&mut payload, nonce & 1);
    for first in [0x90, 0x40] {
        rlp::put_bytes(&mut payload, &[first | holder & 7; 32]);
    }
    let mut raw = vec![2];
    rlp::put_list(&mut raw, &payload);
    raw
}

fn mixed() -> Vec<Vec<u8>> {
    let mut raws: Vec<Vec<u8>> = (0..60).map(|n| transfer(n / 7, 1 + (n % 9) as u8)).collect();
    raws.insert(3, b"\x02no transaction".to_vec());
    raws.push(vec![0xc0]);
    raws
}

#[test]
fn comes_back_and_is_smaller() {
    let raws = mixed();
    let section = encode(&raws);
    assert!(section.len() < raws.len() * 110, "{}", section.len());
    assert_eq!(decode(&section, raws.len(), BOUNDS), Ok(raws));
    assert_eq!(decode(&encode::<Vec<u8>>(&[]), 0, BOUNDS), Ok(vec![]));
}

#[test]
fn reads_no_bytes_but_its_own() {
    let raws = mixed();
    let section = encode(&raws);
    for at in 0..section.len() {
        let mut damaged = section.clone();
        damaged[at] ^= 1 << (at % 8);
        if let Ok(read) = decode(&damaged, raws.len(), BOUNDS) {
            assert_eq!(encode(&read), damaged);
        }
        assert!(decode(&section[..at], raws.len(), BOUNDS).is_err());
    }
}

#[test]
fn keeps_to_its_bounds() {
    let raws = mixed();
    let section = encode(&raws);
    assert!(decode(&section, raws.len(), Bounds { data: 60 * 68 - 1, ..BOUNDS }).is_err());
    assert!(decode(&section, raws.len(), Bounds { transaction: 8, ..BOUNDS }).is_err());
    assert!(decode(&section, raws.len() + 1, BOUNDS).is_err());
}
