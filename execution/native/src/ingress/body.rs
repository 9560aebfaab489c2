//! The JSON of a plain send, or nothing: one object, or an array of them, with members in any order.

use std::ops::Range;

pub struct Body {
    pub batch: bool,
    /// It is one call that waits for its promise.
    pub awaited: bool,
    pub calls: Vec<RawCall>,
}

/// A call's id, as a place in the text, and the transaction that it hands in.
pub struct RawCall {
    pub id: Range<usize>,
    pub raw: Vec<u8>,
}

/// The calls in `text[range]`, at most `limit`.
pub fn read(text: &[u8], range: Range<usize>, limit: usize) -> Option<Body> {
    let mut reader = Reader { text: &text[..range.end], at: range.start };
    let batch = reader.skip() == Some(b'[');
    let mut calls = Vec::with_capacity(1);
    let mut awaited = false;
    if batch {
        reader.at += 1;
        while calls.is_empty() || reader.took(b',') {
            if calls.len() == limit {
                return None;
            }
            let (call, waits) = reader.call()?;
            awaited |= waits;
            calls.push(call);
        }
        reader.expect(b']')?;
    } else {
        let (call, waits) = reader.call()?;
        awaited = waits;
        calls.push(call);
    }
    if reader.skip().is_some() || (batch && awaited) { None } else { Some(Body { batch, awaited, calls }) }
}

/// Integers of up to this many digits come back from any parser as they went in.
const LONGEST_NUMBER: usize = 15;

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// A call, and whether it waits for its promise.
    fn call(&mut self) -> Option<(RawCall, bool)> {
        let (mut version, mut awaited, mut id, mut raw) = (false, None, None, None);
        self.expect(b'{')?;
        loop {
            let name = self.string()?;
            self.expect(b':')?;
            let is_new = match &self.text[name] {
                b"jsonrpc" => {
                    let value = self.string()?;
                    &self.text[value] == b"2.0" && !std::mem::replace(&mut version, true)
                }
                b"method" => {
                    let value = self.string()?;
                    let waits = match &self.text[value] {
                        b"eth_sendRawTransaction" => false,
                        b"eth_sendRawTransactionSync" => true,
                        _ => return None,
                    };
                    awaited.replace(waits).is_none()
                }
                b"id" => id.replace(self.id()?).is_none(),
                b"params" => raw.replace(self.params()?).is_none(),
                _ => false,
            };
            if !is_new {
                return None;
            }
            if !self.took(b',') {
                break;
            }
        }
        self.expect(b'}')?;
        if !version {
            return None;
        }
        Some((RawCall { id: id?, raw: raw? }, awaited?))
    }

    /// `["0x.."]`, decoded.
    fn params(&mut self) -> Option<Vec<u8>> {
        self.expect(b'[')?;
        let data = self.string()?;
        self.expect(b']')?;
        decoded(self.text[data].strip_prefix(b"0x")?)
    }

    /// A string, a non-negative integer or null, with its quotes if it has any.
    fn id(&mut self) -> Option<Range<usize>> {
        match self.skip()? {
            b'"' => {
                let inside = self.string()?;
                Some(inside.start - 1..inside.end + 1)
            }
            b'n' => {
                let word = self.at..self.at + 4;
                self.at = word.end;
                (self.text.get(word.clone())? == b"null").then_some(word)
            }
            _ => {
                let rest = &self.text[self.at..];
                let size = rest.iter().take(LONGEST_NUMBER + 1).take_while(|byte| byte.is_ascii_digit()).count();
                if size == 0 || size > LONGEST_NUMBER || (size > 1 && rest[0] == b'0') {
                    return None;
                }
                self.at += size;
                Some(self.at - size..self.at)
            }
        }
    }

    /// What stands between two quotes, if it is plain ASCII without escapes.
    fn string(&mut self) -> Option<Range<usize>> {
        self.expect(b'"')?;
        let start = self.at;
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        let end = start + self.text[start..].iter().position(|byte| !is_plain(byte))?;
        self.at = end + 1;
        (self.text[end] == b'"').then_some(start..end)
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        self.took(wanted).then_some(())
    }

    /// Steps over blanks and, if it comes then, over `wanted`.
    fn took(&mut self, wanted: u8) -> bool {
        let found = self.skip() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    /// Steps over blanks. The byte that is next then; None at the end.
    fn skip(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                found => return found.copied(),
            }
        }
    }
}

fn decoded(digits: &[u8]) -> Option<Vec<u8>> {
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let mut wrong = 0;
    let bytes = digits
        .chunks_exact(2)
        .map(|pair| {
            let (high, low) = (VALUES[usize::from(pair[0])], VALUES[usize::from(pair[1])]);
            wrong |= high | low;
            high << 4 | low & 0x0f
        })
        .collect();
    if wrong & NO_DIGIT == 0 { Some(bytes) } else { None }
}

const NO_DIGIT: u8 = 0x80;

/// What each byte stands for as a hex digit.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let digits = b"0123456789abcdef";
    let mut value = 0;
    while value < 16 {
        let digit = digits[value];
        values[digit as usize] = value as u8;
        values[digit.to_ascii_uppercase() as usize] = value as u8;
        value += 1;
    }
    values
};
