//! A signed transaction cut into fields, and put together again. `da/transaction_fields.py` draws the forms.
//!
//! Cutting is about bytes, not validity: lists are never looked into, and what is cut gives back exactly its bytes.

use alloy_primitives::U256;

use crate::codec::rlp::{self, Malformed, Reader};

/// What a transaction says. `fee` is the fee cap of types 2 and 4, `tip` the gas price of the others;
/// `y_parity_and_s` has the parity in its highest bit (EIP-2098).
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    pub kind: u8,
    pub chain_id: u64,
    pub nonce: u64,
    pub tip: u128,
    pub fee: u128,
    pub gas: u64,
    pub to: Option<[u8; 20]>,
    pub value: U256,
    pub data: &'a [u8],
    pub access_list: &'a [u8],
    pub authorizations: &'a [u8],
    pub r: [u8; 32],
    pub y_parity_and_s: [u8; 32],
}

const CREATION: u8 = 0x10;
const NOT_CUT: Malformed = "not of the form that is cut";

impl<'a> Fields<'a> {
    /// Type, and whether there is a recipient, as the column of shapes has it; 0 stands for what is not cut.
    pub fn shape(&self) -> u8 {
        self.kind + 1 + if self.to.is_none() { CREATION } else { 0 }
    }

    pub fn has_fee(&self) -> bool {
        self.kind >= 2
    }

    /// The fields of `raw`, if it is of the form.
    pub fn cut(raw: &'a [u8]) -> Option<Self> {
        match raw.first() {
            Some(0xc0..) => Self::legacy(raw).ok(),
            Some(1 | 2 | 4) => Self::typed(raw[0], &raw[1..]).ok(),
            _ => None,
        }
    }

    fn legacy(raw: &'a [u8]) -> Result<Self, Malformed> {
        let mut items = rlp::sole_list(raw)?;
        let (nonce, tip, gas) = (items.u64()?, amount(&mut items)?, items.u64()?);
        let (to, value, data) = (recipient(&mut items)?, items.u256()?, items.bytes()?);
        let v = amount(&mut items)?.checked_sub(35).ok_or(NOT_CUT)?;
        let chain_id = u64::try_from(v >> 1).map_err(|_| NOT_CUT)?;
        let (r, y_parity_and_s) = signature(&mut items, v as u8 & 1)?;
        let (access_list, authorizations) = (&[][..], &[][..]);
        Ok(Self {
            kind: 0,
            chain_id,
            nonce,
            tip,
            fee: 0,
            gas,
            to,
            value,
            data,
            access_list,
            authorizations,
            r,
            y_parity_and_s,
        })
    }

    fn typed(kind: u8, encoded: &'a [u8]) -> Result<Self, Malformed> {
        let mut items = rlp::sole_list(encoded)?;
        let (chain_id, nonce, tip) = (items.u64()?, items.u64()?, amount(&mut items)?);
        let fee = if kind == 1 { 0 } else { amount(&mut items)? };
        let (gas, to, value, data) = (items.u64()?, recipient(&mut items)?, items.u256()?, items.bytes()?);
        let access_list = items.list()?.rest();
        let authorizations = if kind == 4 { items.list()?.rest() } else { &[] };
        let parity: u8 = items.u256()?.try_into().map_err(|_| NOT_CUT)?;
        let (r, y_parity_and_s) = signature(&mut items, parity)?;
        Ok(Self {
            kind,
            chain_id,
            nonce,
            tip,
            fee,
            gas,
            to,
            value,
            data,
            access_list,
            authorizations,
            r,
            y_parity_and_s,
        })
    }

    /// The bytes of the transaction.
    pub fn join(&self) -> Vec<u8> {
        let lists = self.access_list.len() + self.authorizations.len();
        let mut payload = Vec::with_capacity(self.data.len() + lists + 200);
        let (mut s, parity) = (self.y_parity_and_s, self.y_parity_and_s[0] >> 7);
        s[0] &= 0x7f;
        if self.kind != 0 {
            rlp::put_u64(&mut payload, self.chain_id);
        }
        rlp::put_u64(&mut payload, self.nonce);
        put_amount(&mut payload, self.tip);
        if self.has_fee() {
            put_amount(&mut payload, self.fee);
        }
        rlp::put_u64(&mut payload, self.gas);
        rlp::put_bytes(&mut payload, self.to.as_ref().map_or(&[], |to| &to[..]));
        rlp::put_uint(&mut payload, self.value);
        rlp::put_bytes(&mut payload, self.data);
        if self.kind == 0 {
            put_amount(&mut payload, 35 + 2 * u128::from(self.chain_id) + u128::from(parity));
        } else {
            rlp::put_list(&mut payload, self.access_list);
            if self.kind == 4 {
                rlp::put_list(&mut payload, self.authorizations);
            }
            rlp::put_u64(&mut payload, parity.into());
        }
        rlp::put_uint(&mut payload, U256::from_be_bytes(self.r));
        rlp::put_uint(&mut payload, U256::from_be_bytes(s));
        let mut raw = Vec::with_capacity(payload.len() + 10);
        if self.kind != 0 {
            raw.push(self.kind);
        }
        rlp::put_list(&mut raw, &payload);
        raw
    }
}

/// The type of each shape, and whether it has a recipient.
pub fn kind_of(shape: u8) -> Option<(u8, bool)> {
    let kind = (shape & !CREATION).checked_sub(1)?;
    matches!(kind, 0 | 1 | 2 | 4).then_some((kind, shape & CREATION == 0))
}

fn amount(items: &mut Reader<'_>) -> Result<u128, Malformed> {
    items.u256()?.try_into().map_err(|_| NOT_CUT)
}

fn put_amount(out: &mut Vec<u8>, value: u128) {
    let bytes = value.to_be_bytes();
    rlp::put_bytes(out, &bytes[value.leading_zeros() as usize / 8..]);
}

fn recipient(items: &mut Reader<'_>) -> Result<Option<[u8; 20]>, Malformed> {
    let to = items.bytes()?;
    if to.is_empty() {
        return Ok(None);
    }
    to.try_into().map(Some).map_err(|_| NOT_CUT)
}

/// The rest of the items: `r`, and `s` with the parity above it.
fn signature(items: &mut Reader<'_>, parity: u8) -> Result<([u8; 32], [u8; 32]), Malformed> {
    let (r, s) = (items.u256()?, items.u256()?);
    items.end()?;
    let mut y_parity_and_s: [u8; 32] = s.to_be_bytes();
    if parity > 1 || y_parity_and_s[0] >= 0x80 {
        return Err(NOT_CUT);
    }
    y_parity_and_s[0] |= parity << 7;
    Ok((r.to_be_bytes(), y_parity_and_s))
}
