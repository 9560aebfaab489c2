//! Whatever bytes come in, reading requests answers and never panics. `REQUESTS` sets how many are tried.

use alloy_primitives::keccak256;
use rollup_sequencer_native::ingress::{Limits, Sends, answer, read_all};

const LIMITS: Limits = Limits { body: 4096, batch: 4, gzip: 1024, answer: 100_000 };
const SEEDS: [&str; 3] = [
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 80\r\n\r\n\
     {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_sendRawTransaction\",\"params\":[\"0x02f8ab\"]}",
    "POST /chain/7 HTTP/1.1\r\nConnection: keep-alive\r\nOrigin: b\r\nContent-Length: 167\r\n\r\n\
     [{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"eth_sendRawTransaction\",\"params\":[\"0x02f8ab\"]} , \
     {\"params\":[\"0xAb\"],\"jsonrpc\":\"2.0\",\"id\":\"xy\",\"method\":\"eth_sendRawTransaction\"}]",
    "POST / HTTP/1.1\r\nAccept-Encoding: gzip\r\nX-Forwarded-For: c\r\nContent-Length: 84\r\n\r\n\
     {\"jsonrpc\" :\t\"2.0\",\"id\":1,\"method\":\"eth_sendRawTransaction\",\"params\":[ \"0x02f8ab\"] }",
];

/// A generator that needs no library and repeats itself in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn byte(&mut self) -> u8 {
        const EDGES: &[u8] = b"\r\n\t :,\"\\[]{}x09afn\0\x7f\x80\xff";
        if self.below(3) > 0 { EDGES[self.below(EDGES.len())] } else { self.below(256) as u8 }
    }

    /// A seed with a few bytes changed, removed, added or cut off.
    fn damaged(&mut self) -> Vec<u8> {
        let mut bytes = SEEDS[self.below(SEEDS.len())].as_bytes().to_vec();
        for _ in 0..self.below(4) {
            let at = self.below(bytes.len().max(1));
            match self.below(5) {
                0 | 1 if at < bytes.len() => bytes[at] = self.byte(),
                2 if at < bytes.len() => drop(bytes.remove(at)),
                3 => bytes.insert(at, self.byte()),
                4 if self.below(4) == 0 => bytes.truncate(at),
                _ => {}
            }
        }
        bytes
    }
}

fn read(request: &[u8], limits: &Limits) -> Option<Sends> {
    read_all(&[request], limits).pop()?
}

#[test]
fn each_call_gets_its_own_hash() {
    let requests = [SEEDS[1], "GET / HTTP/1.1\r\n\r\n", SEEDS[0]];
    let read = read_all(&requests.map(str::as_bytes), &LIMITS);
    assert_eq!(read.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
    let calls: Vec<_> = read.iter().flatten().flat_map(|sends| &sends.calls).collect();
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|call| call.hash == keccak256(&call.raw)));
}

#[test]
fn seeds_are_read() {
    for seed in SEEDS {
        let sends = read(seed.as_bytes(), &LIMITS).unwrap_or_else(|| panic!("declined: {seed}"));
        assert_eq!(sends.end, seed.len());
        let answered = String::from_utf8(answer(seed.as_bytes(), &sends, b"", &[])).unwrap();
        let (head, body) = answered.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())));
        assert_eq!(body.matches("\"result\":\"0x").count(), sends.calls.len());
        assert_eq!(body.starts_with('['), sends.batch);
    }
}

#[test]
fn any_bytes_are_answered() {
    let count = std::env::var("REQUESTS").ok().and_then(|text| text.parse().ok()).unwrap_or(50_000);
    let mut chance = Chance(11);
    let mut taken = 0;
    for _ in 0..count {
        let request = chance.damaged();
        if let Some(sends) = read(&request, &LIMITS) {
            assert!(sends.end <= request.len() && !sends.calls.is_empty() && sends.calls.len() <= LIMITS.batch);
            assert!(!answer(&request, &sends, b"Vary: Origin\r\n", &[(0, b"{}")]).is_empty());
            taken += 1;
        }
    }
    assert!(taken > count / 10 && taken < count * 9 / 10);
}
