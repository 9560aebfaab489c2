//! The plain send: a whole HTTP request that does nothing but hand in raw transactions, read in one go.
//!
//! ```text
//! POST PATH HTTP/1.1     one Content-Length, and no header that changes how the body is read
//! {"jsonrpc":"2.0","id":ID,"method":"eth_sendRawTransaction","params":["0xHEX"]}      or an array of these
//! {"jsonrpc":"2.0","id":ID,"method":"eth_sendRawTransactionSync","params":["0xHEX"]}  alone
//! ```
//!
//! Whatever is not exactly this, or leaves any doubt, is declined: then the node's general way reads the same
//! bytes and decides, also about what is an error. So nothing here has an error of its own, and reading a request
//! here can change nothing but the time that it takes. The twins in Python are `sequencer.rpc.fast_post.parse_head`
//! and `sequencer.rpc.jsonrpc`.

mod body;
mod head;

use std::ops::Range;

use alloy_primitives::B256;

use crate::keccak;

/// What a request may ask for, from the node's settings.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest body, in bytes.
    pub body: usize,
    /// Calls in one batch.
    pub batch: usize,
    /// From this size on an answer is compressed for those who take it.
    pub gzip: usize,
    /// Longest answer, in bytes.
    pub answer: usize,
}

/// One transaction that is handed in.
#[derive(Debug, PartialEq, Eq)]
pub struct Call {
    /// Where the request's JSON holds the id, as it goes into the answer.
    pub id: Range<usize>,
    pub raw: Vec<u8>,
    pub hash: B256,
}

/// A plain send. Ranges are places in the request.
#[derive(Debug, PartialEq, Eq)]
pub struct Sends {
    pub path: Range<usize>,
    pub host: Option<Range<usize>>,
    pub origin: Option<Range<usize>>,
    pub forwarded_for: Option<Range<usize>>,
    /// Where the request ends, and the next one may begin.
    pub end: usize,
    pub batch: bool,
    /// The one call waits for its promise, which is longer than a hash: nothing is said of the answer's size.
    pub awaited: bool,
    /// The sender takes a compressed answer.
    pub accepts_gzip: bool,
    pub calls: Vec<Call>,
}

/// The plain send at the start of each of `requests`, if it is one and whole. All of their transactions are hashed
/// together.
pub fn read_all<R: AsRef<[u8]>>(requests: &[R], limits: &Limits) -> Vec<Option<Sends>> {
    let mut read: Vec<_> = requests.iter().map(|request| unhashed(request.as_ref(), limits)).collect();
    let mut calls: Vec<&mut Call> = read.iter_mut().flatten().flat_map(|sends| &mut sends.calls).collect();
    let hashes = keccak::digests(&calls.iter().map(|call| &call.raw[..]).collect::<Vec<_>>());
    calls.iter_mut().zip(hashes).for_each(|(call, hash)| call.hash = hash);
    read
}

/// The same for one request, with zeros for hashes.
fn unhashed(request: &[u8], limits: &Limits) -> Option<Sends> {
    let head = head::read(request)?;
    let end = head.body_at.checked_add(head.length)?;
    if head.length > limits.body || request.len() < end {
        return None;
    }
    let body = body::read(request, head.body_at..end, limits.batch)?;
    let ids = body.calls.iter().map(|call| call.id.len()).sum::<usize>();
    let answer = ANSWER_BYTES * body.calls.len() + ids;
    if answer + LONGEST_ERROR * body.calls.len() > limits.answer || (head.accepts_gzip && answer >= limits.gzip) {
        return None;
    }
    let calls = body.calls.into_iter().map(|call| Call { hash: B256::ZERO, id: call.id, raw: call.raw });
    Some(Sends {
        path: head.path,
        host: head.host,
        origin: head.origin,
        forwarded_for: head.forwarded_for,
        end,
        batch: body.batch,
        awaited: body.awaited,
        accepts_gzip: head.accepts_gzip,
        calls: calls.collect(),
    })
}

/// The response to `sends`, which `request` holds: HTTP header with the lines of `cors`, and body. `errors` are the
/// encoded `error` members of calls that are refused, by their places, in order.
pub fn answer(request: &[u8], sends: &Sends, cors: &[u8], errors: &[(usize, &[u8])]) -> Vec<u8> {
    let mut body = Vec::with_capacity(ANSWER_BYTES * sends.calls.len() + 64);
    let mut errors = errors.iter().peekable();
    for (place, call) in sends.calls.iter().enumerate() {
        body.push(if place == 0 { b'[' } else { b',' });
        body.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
        body.extend_from_slice(&request[call.id.clone()]);
        if let Some((_, error)) = errors.next_if(|(refused, _)| *refused == place) {
            body.extend_from_slice(b",\"error\":");
            body.extend_from_slice(error);
            body.push(b'}');
        } else {
            body.extend_from_slice(b",\"result\":\"0x");
            body.extend_from_slice(alloy_primitives::hex::Buffer::<32, false>::new().format(&call.hash.0).as_bytes());
            body.extend_from_slice(b"\"}");
        }
    }
    body.push(b']');
    let body = if sends.batch { &body[..] } else { &body[1..body.len() - 1] };
    let mut response = Vec::with_capacity(body.len() + cors.len() + 96);
    response.extend_from_slice(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ");
    response.extend_from_slice(body.len().to_string().as_bytes());
    response.extend_from_slice(b"\r\n");
    response.extend_from_slice(cors);
    response.extend_from_slice(b"\r\n");
    response.extend_from_slice(body);
    response
}

/// What an admitted call's answer takes at most without its id: also what stands around it in a batch.
const ANSWER_BYTES: usize = r#"{"jsonrpc":"2.0","id":,"result":"0x"},[]"#.len() + 64;
/// No refusal says more.
const LONGEST_ERROR: usize = 1024;
