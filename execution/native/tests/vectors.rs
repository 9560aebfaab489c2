//! The published vectors of the trie and of RLP (ethereum/tests). They are found by `CONFORMANCE_VECTORS`, or beside
//! the project; without them there is nothing to hold.

use std::path::PathBuf;
use std::sync::Mutex;

use alloy_primitives::{B256, U256, hex, keccak256};
use rollup_sequencer_native::codec::rlp::{self, Item, Reader};
use rollup_sequencer_native::trie::{Change, Child, Context, InMemory, Path, update};
use serde_json::Value;

fn document(name: &str) -> Option<Value> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let folder = std::env::var_os("CONFORMANCE_VECTORS").map_or(beside, PathBuf::from);
    let Ok(text) = std::fs::read(folder.join("evm-codec").join(name)) else {
        eprintln!("skipped: no {name} in {}", folder.display());
        return None;
    };
    Some(serde_json::from_slice(&text).unwrap())
}

fn bytes(text: &str) -> Vec<u8> {
    text.strip_prefix("0x").map_or_else(|| text.as_bytes().to_vec(), |digits| hex::decode(digits).unwrap())
}

/// Keys and values in order; no value deletes.
fn pairs(input: &Value) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let text = |value: &Value| value.as_str().map(bytes);
    match input {
        Value::Object(pairs) => pairs.iter().map(|(key, value)| (bytes(key), text(value))).collect(),
        Value::Array(pairs) => pairs.iter().map(|pair| (text(&pair[0]).unwrap(), text(&pair[1]))).collect(),
        _ => panic!("neither object nor list"),
    }
}

#[test]
fn the_trie_has_the_published_roots() {
    let Some(document) = document("trie-tests.json") else { return };
    let (mut held, mut apart) = (0, 0);
    for (folder, cases) in document.as_object().unwrap() {
        let secure = folder.to_lowercase().contains("secure");
        for (name, case) in cases.as_object().unwrap() {
            let pairs = pairs(&case["in"]);
            // No key of ours is the beginning of another: all are hashes, or indexes in RLP.
            let nested = pairs
                .iter()
                .any(|(one, _)| pairs.iter().any(|(other, _)| other.len() > one.len() && other.starts_with(one)));
            if nested && !secure {
                apart += 1;
                continue;
            }
            let root: B256 = case["root"].as_str().unwrap().parse().unwrap();
            let keyed = pairs.into_iter().map(|(key, value)| {
                let key = if secure { keccak256(key).to_vec() } else { key };
                (Path::of_bytes(&key), value.map_or(Change::Delete, Change::Put))
            });
            let mut trie = Child::Empty;
            for change in keyed {
                let (gone, storage_roots) = (Mutex::default(), Mutex::default());
                let context = Context { source: &InMemory, owner: None, gone: &gone, storage_roots: &storage_roots };
                trie = update(trie, &[change], &context).unwrap();
            }
            assert_eq!(trie.root(), root, "{folder} {name}");
            held += 1;
        }
    }
    assert_eq!((held, apart), (11, 4));
}

/// The encoding of a value as the vectors write it: text, numbers (`#` marks big ones) and lists.
fn encoded(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    match value {
        Value::String(text) if text.starts_with('#') => rlp::put_uint(&mut out, text[1..].parse().unwrap()),
        Value::String(text) => rlp::put_bytes(&mut out, text.as_bytes()),
        Value::Number(number) => rlp::put_uint(&mut out, U256::from(number.as_u64().unwrap())),
        Value::Array(items) => rlp::put_list(&mut out, &items.iter().flat_map(encoded).collect::<Vec<_>>()),
        _ => panic!("no RLP value"),
    }
    out
}

/// Reads everything there is, and writes it again.
fn decoded(reader: &mut Reader<'_>) -> Result<Vec<u8>, rlp::Malformed> {
    let mut out = Vec::new();
    while !reader.is_empty() {
        match reader.item()? {
            Item::Bytes(bytes) => rlp::put_bytes(&mut out, bytes),
            Item::List(payload) => rlp::put_list(&mut out, &decoded(&mut Reader::new(payload))?),
        }
    }
    Ok(out)
}

#[test]
fn rlp_reads_and_writes_the_published_encodings() {
    let Some(document) = document("rlp-tests.json") else { return };
    let mut held = 0;
    for (name, case) in document["rlptest"].as_object().unwrap() {
        let out = bytes(case["out"].as_str().unwrap());
        assert_eq!(encoded(&case["in"]), out, "{name}");
        assert_eq!(decoded(&mut Reader::new(&out)).unwrap(), out, "{name}");
        held += 1;
    }
    for (name, case) in document["invalidRLPTest"].as_object().unwrap() {
        let out = bytes(case["out"].as_str().unwrap());
        let mut reader = Reader::new(&out);
        let first = reader.item().and_then(|item| match item {
            Item::Bytes(_) => Ok(()),
            Item::List(payload) => decoded(&mut Reader::new(payload)).map(drop),
        });
        assert!(first.is_err() || reader.end().is_err(), "{name} is refused");
        held += 1;
    }
    assert_eq!(held, 27);
}
