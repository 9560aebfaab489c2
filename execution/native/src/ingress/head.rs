//! The header of a plain POST, or nothing.

use std::ops::Range;

/// A longer header is not plain.
const HEADER_LIMIT: usize = 8 * 1024;
/// A request with more header lines is not plain.
const HEADERS: usize = 32;

/// The places of what matters, in the request.
#[derive(Debug, Default)]
pub struct Head {
    pub path: Range<usize>,
    pub host: Option<Range<usize>>,
    pub origin: Option<Range<usize>>,
    pub forwarded_for: Option<Range<usize>>,
    pub accepts_gzip: bool,
    pub length: usize,
    pub body_at: usize,
}

/// Headers that change how the body is read or what becomes of the connection.
const ELSEWHERE: [&[u8]; 6] =
    [b"transfer-encoding", b"content-encoding", b"expect", b"connection", b"upgrade", b"sec-websocket-key"];

/// The header at the start of `request`, if it is whole and plain.
pub fn read(request: &[u8]) -> Option<Head> {
    const METHOD: &[u8] = b"POST /";
    const VERSION: &[u8] = b" HTTP/1.1";
    if !request.starts_with(METHOD) {
        return None;
    }
    let mut lines = Lines { request, at: 0 };
    let first = lines.next()??;
    let target = first.end.checked_sub(VERSION.len())?;
    if target < METHOD.len() || &request[target..first.end] != VERSION {
        return None;
    }
    let path = METHOD.len() - 1..target;
    if !request[path.clone()].iter().all(|byte| byte.is_ascii_graphic() && *byte != b'?') {
        return None;
    }
    let mut head = Head { path, ..Head::default() };
    let mut names = Vec::with_capacity(16);
    let mut length = None;
    let mut encodings = None;
    for line in lines.by_ref() {
        let line = line?;
        let text = &request[line.clone()];
        let colon = text.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&text[..colon], trimmed(request, line.start + colon + 1..line.end));
        if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') {
            return None;
        }
        if names.iter().any(|other: &&[u8]| other.eq_ignore_ascii_case(name)) || names.len() == HEADERS {
            return None;
        }
        names.push(name);
        let place = match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => &mut head.host,
            6 if name.eq_ignore_ascii_case(b"origin") => &mut head.origin,
            14 if name.eq_ignore_ascii_case(b"content-length") => &mut length,
            15 if name.eq_ignore_ascii_case(b"accept-encoding") => &mut encodings,
            15 if name.eq_ignore_ascii_case(b"x-forwarded-for") => &mut head.forwarded_for,
            10 if request[value.clone()].eq_ignore_ascii_case(b"keep-alive")
                && name.eq_ignore_ascii_case(b"connection") =>
            {
                continue;
            }
            _ if ELSEWHERE.iter().any(|special| name.eq_ignore_ascii_case(special)) => return None,
            _ => continue,
        };
        *place = Some(value);
    }
    head.accepts_gzip = encodings.is_some_and(|value| request[value].windows(4).any(|part| part == b"gzip"));
    head.length = number(&request[length?])?;
    head.body_at = lines.at;
    Some(head)
}

/// The lines of a header up to the empty one; None in place of a line that is broken or too far from the start.
struct Lines<'a> {
    request: &'a [u8],
    at: usize,
}

impl Iterator for Lines<'_> {
    type Item = Option<Range<usize>>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.request[self.at..];
        // A tab is the one control character that a value may hold; a lone CR or LF would split it in two elsewhere.
        let size = rest.iter().position(|byte| !matches!(byte, b'\t' | b' '..=b'~')).unwrap_or(rest.len());
        if !rest[size..].starts_with(b"\r\n") || self.at + size > HEADER_LIMIT {
            return Some(None);
        }
        let line = self.at..self.at + size;
        self.at += size + 2;
        if line.is_empty() { None } else { Some(Some(line)) }
    }
}

fn trimmed(request: &[u8], mut range: Range<usize>) -> Range<usize> {
    let blank = |at: usize| matches!(request[at], b' ' | b'\t');
    while !range.is_empty() && blank(range.start) {
        range.start += 1;
    }
    while !range.is_empty() && blank(range.end - 1) {
        range.end -= 1;
    }
    range
}

fn number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || digits.len() > 9 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0')))
}
