//! The transactions section of a batch body.

use std::array::from_fn;

use alloy_primitives::U256;

use super::column::{Reader, Writer};
use super::fields::{Fields, kind_of};
use crate::codec::rlp::Malformed;

/// How large what is read may become, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub transaction: usize,
    /// Of all call data together: short words and shared addresses become longer by being read.
    pub data: usize,
}

impl Bounds {
    /// Of the length of anything in a transaction.
    fn size_bits(self) -> u32 {
        usize::BITS - self.transaction.leading_zeros()
    }
}

const POSITIONS: usize = 8;
const WORD: usize = 32;
/// Words up to this class are numbers below 2^128; the class is the length of the mantissa.
const NUMBER: u8 = 16;
const ADDRESS: u8 = 17;
const OTHER: u8 = 18;

/// The section of `raws`: the same transactions give the same bytes everywhere.
pub fn encode<T: AsRef<[u8]>>(raws: &[T]) -> Vec<u8> {
    let cuts: Vec<Option<Fields<'_>>> = raws.iter().map(|raw| Fields::cut(raw.as_ref())).collect();
    let mut out = Writer::default();
    out.out.reserve(raws.len() * 120);
    out.out.extend(cuts.iter().map(|cut| cut.as_ref().map_or(0, Fields::shape)));
    let whole = raws.iter().zip(&cuts).filter(|(_, cut)| cut.is_none());
    out.strings(whole.map(|(raw, _)| raw.as_ref()));
    let fields: Vec<&Fields<'_>> = cuts.iter().flatten().collect();
    write_integers(&mut out, &fields);
    write_calls(&mut out, &fields);
    out.strings(fields.iter().filter(|one| one.kind != 0).map(|one| one.access_list));
    out.strings(fields.iter().filter(|one| one.kind == 4).map(|one| one.authorizations));
    for one in &fields {
        out.out.extend_from_slice(&one.r);
    }
    for one in &fields {
        out.out.extend_from_slice(&one.y_parity_and_s);
    }
    out.out
}

/// The `count` transactions of a section. One section has one reading: what is read must encode to these bytes.
pub fn decode(section: &[u8], count: usize, bounds: Bounds) -> Result<Vec<Vec<u8>>, Malformed> {
    let bits = bounds.size_bits();
    let mut reader = Reader::new(section);
    let shapes = reader.take(count)?;
    let sizes = sizes(&mut reader, shapes.iter().filter(|shape| **shape == 0).count(), bits)?;
    if sizes.iter().any(|size| *size == 0 || *size > bounds.transaction) {
        return Err("a byte string is empty or too long");
    }
    let mut whole = reader.blocks(&sizes)?.into_iter();
    let cut = shapes.iter().filter(|shape| **shape != 0);
    let kinds = cut.map(|shape| kind_of(*shape).ok_or("a transaction of unknown shape"));
    let kinds = kinds.collect::<Result<Vec<_>, _>>()?;
    let mut integers = read_integers(&mut reader, &kinds, bounds)?;
    let calls = read_calls(&mut reader, &integers.data_sizes, &kinds)?;
    let sizes_of_lists = sizes_of(&mut reader, kinds.iter().map(|(kind, _)| *kind != 0), bits)?;
    let access_lists = reader.blocks(&sizes_of_lists)?;
    let sizes_of_lists = sizes_of(&mut reader, kinds.iter().map(|(kind, _)| *kind == 4), bits)?;
    let authorizations = reader.blocks(&sizes_of_lists)?;
    let r = reader.fixed::<32>(kinds.len())?;
    let y_parity_and_s = reader.fixed::<32>(kinds.len())?;
    reader.end()?;
    for (at, fields) in integers.fields.iter_mut().enumerate() {
        (fields.to, fields.value, fields.data) = (calls.targets[at], calls.values[at], &calls.datas[at]);
        (fields.access_list, fields.authorizations) = (access_lists[at], authorizations[at]);
        (fields.r, fields.y_parity_and_s) = (r[at], y_parity_and_s[at]);
    }
    let mut joined = integers.fields.iter().map(Fields::join);
    let raws = shapes.iter().map(|shape| {
        let raw = if *shape == 0 { whole.next().map(<[u8]>::to_vec) } else { joined.next() };
        raw.unwrap_or_default()
    });
    let raws: Vec<Vec<u8>> = raws.collect();
    if encode(&raws) != section {
        return Err("not the one encoding of its transactions");
    }
    Ok(raws)
}

fn write_integers(out: &mut Writer, fields: &[&Fields<'_>]) {
    out.deltas(fields.iter().map(|one| one.chain_id));
    write_nonces(out, fields);
    for one in fields {
        out.uint(one.data.len() as u128);
    }
    let gas: Vec<u128> = fields.iter().map(|one| one.gas.into()).collect();
    let tips = fields.iter().map(|one| one.tip).collect();
    let fees = fields.iter().filter(|one| one.has_fee()).map(|one| one.fee).collect();
    for column in [gas, tips, fees] {
        for value in out.index(&[column]) {
            out.uint(value);
        }
    }
}

/// Of many senders in turn the values are smaller, of few the differences.
fn write_nonces(out: &mut Writer, fields: &[&Fields<'_>]) {
    let size = |value: u64| u64::from(u64::BITS - value.leading_zeros());
    let (mut plain, mut steps, mut before) = (0, 0, 0);
    for one in fields {
        plain += size(one.nonce);
        steps += 1 + size(one.nonce.abs_diff(before));
        before = one.nonce;
    }
    out.uint(u128::from(steps < plain));
    if steps < plain {
        out.deltas(fields.iter().map(|one| one.nonce));
    } else {
        for one in fields {
            out.uint(one.nonce.into());
        }
    }
}

/// Transactions as far as their integers are read.
struct Integers<'a> {
    fields: Vec<Fields<'a>>,
    data_sizes: Vec<usize>,
}

fn read_integers<'a>(reader: &mut Reader<'_>, kinds: &[(u8, bool)], bounds: Bounds) -> Result<Integers<'a>, Malformed> {
    let count = kinds.len();
    let chain_ids = reader.deltas(count)?;
    let nonces = match reader.uint(1)? {
        0 => reader.u64s(count)?,
        _ => reader.deltas(count)?,
    };
    let data_sizes = sizes(reader, count, bounds.size_bits())?;
    if data_sizes.iter().sum::<usize>() > bounds.data {
        return Err("more call data than it may have");
    }
    let gas = read_dictionary(reader, count, 64)?;
    let tips = read_dictionary(reader, count, 128)?;
    let capped = kinds.iter().filter(|(kind, _)| *kind >= 2).count();
    let mut fees = read_dictionary(reader, capped, 128)?.into_iter();
    let fields = kinds.iter().enumerate().map(|(at, (kind, _))| Fields {
        kind: *kind,
        chain_id: chain_ids[at],
        nonce: nonces[at],
        tip: tips[at],
        fee: if *kind >= 2 { fees.next().unwrap_or_default() } else { 0 },
        gas: gas[at] as u64,
        to: None,
        value: U256::ZERO,
        data: &[],
        access_list: &[],
        authorizations: &[],
        r: [0; 32],
        y_parity_and_s: [0; 32],
    });
    Ok(Integers { fields: fields.collect(), data_sizes })
}

fn read_dictionary(reader: &mut Reader<'_>, count: usize, bits: u32) -> Result<Vec<u128>, Malformed> {
    let (rows, different) = reader.index(&[count])?;
    let values = reader.uints(different, bits)?;
    Ok(rows[0].iter().map(|place| values[*place]).collect())
}

fn sizes(reader: &mut Reader<'_>, count: usize, bits: u32) -> Result<Vec<usize>, Malformed> {
    Ok(reader.uints(count, bits)?.into_iter().map(|size| size as usize).collect())
}

/// Sizes of the byte strings that are `present`, 0 for the others.
fn sizes_of(
    reader: &mut Reader<'_>,
    present: impl Iterator<Item = bool> + Clone,
    bits: u32,
) -> Result<Vec<usize>, Malformed> {
    let mut read = sizes(reader, present.clone().filter(|one| *one).count(), bits)?.into_iter();
    Ok(present.map(|one| if one { read.next().unwrap_or_default() } else { 0 }).collect())
}

/// How call data of `size` bytes is divided: bytes of the selector, and words in columns.
fn division(size: usize) -> (usize, usize) {
    let selector = if !size.is_multiple_of(WORD) && size >= 4 { 4 } else { 0 };
    (selector, ((size - selector) / WORD).min(POSITIONS))
}

/// A number as `mantissa * 10^exponent` with the largest exponent there is.
struct Decimal {
    bytes: [u8; 32],
    size: u8,
    exponent: u8,
}

impl Decimal {
    fn of(value: U256) -> Self {
        let (mut mantissa, mut exponent) = (value, 0);
        while mantissa.bit_len() > 64 {
            let (quotient, rest) = mantissa.div_rem(U256::from(10));
            if !rest.is_zero() {
                break;
            }
            (mantissa, exponent) = (quotient, exponent + 1);
        }
        if let Ok(mut small) = u64::try_from(mantissa) {
            while small != 0 && small.is_multiple_of(10) {
                (small, exponent) = (small / 10, exponent + 1);
            }
            mantissa = U256::from(small);
        }
        Self { bytes: mantissa.to_be_bytes(), size: mantissa.byte_len() as u8, exponent }
    }
}

impl AsRef<[u8]> for Decimal {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[WORD - usize::from(self.size)..]
    }
}

/// `mantissa * 10^exponent`, if it has at most `size` bytes.
fn number(mantissa: &[u8; 32], exponent: u8, size: usize) -> Result<U256, Malformed> {
    const TOO_LARGE: Malformed = "a number has too many bytes";
    let mantissa = U256::from_be_bytes(*mantissa);
    if mantissa.is_zero() {
        return Ok(mantissa);
    }
    let power = U256::from(10).checked_pow(U256::from(exponent)).ok_or(TOO_LARGE)?;
    let value = mantissa.checked_mul(power).ok_or(TOO_LARGE)?;
    if value.byte_len() > size { Err(TOO_LARGE) } else { Ok(value) }
}

/// The words of one position of the call data, sorted by class.
#[derive(Default)]
struct Position<'a> {
    classes: Vec<u8>,
    numbers: Vec<Decimal>,
    addresses: Vec<[u8; 20]>,
    others: Vec<&'a [u8]>,
}

impl<'a> Position<'a> {
    fn add(&mut self, word: &'a [u8]) {
        let class = if word[..16].iter().all(|byte| *byte == 0) {
            let decimal = Decimal::of(U256::from_be_slice(word));
            let size = decimal.size;
            self.numbers.push(decimal);
            size
        } else if word[..12].iter().all(|byte| *byte == 0) {
            self.addresses.push(from_fn(|at| word[12 + at]));
            ADDRESS
        } else {
            self.others.push(word);
            OTHER
        };
        self.classes.push(class);
    }
}

fn write_calls(out: &mut Writer, fields: &[&Fields<'_>]) {
    let mut selectors: Vec<[u8; 4]> = Vec::new();
    let mut positions: [Position<'_>; POSITIONS] = from_fn(|_| Position::default());
    for one in fields {
        let (selector, words) = division(one.data.len());
        selectors.extend(one.data[..selector].as_chunks().0);
        for (word, position) in one.data[selector..].chunks_exact(WORD).zip(&mut positions[..words]) {
            position.add(word);
        }
    }
    for selector in out.index(&[selectors]) {
        out.out.extend_from_slice(&selector);
    }
    let values: Vec<Decimal> = fields.iter().map(|one| Decimal::of(one.value)).collect();
    out.out.extend(values.iter().map(|value| value.size));
    for position in &positions {
        out.out.extend_from_slice(&position.classes);
    }
    for column in std::iter::once(&values).chain(positions.iter().map(|position| &position.numbers)) {
        out.out.extend(column.iter().map(|number| number.exponent));
    }
    for column in std::iter::once(&values).chain(positions.iter().map(|position| &position.numbers)) {
        out.planes(column);
    }
    let mut named = vec![fields.iter().filter_map(|one| one.to).collect()];
    named.extend(positions.iter_mut().map(|position| std::mem::take(&mut position.addresses)));
    for address in out.index(&named) {
        out.out.extend_from_slice(&address);
    }
    for position in &positions {
        for word in &position.others {
            out.out.extend_from_slice(word);
        }
    }
    for one in fields {
        let (selector, words) = division(one.data.len());
        out.out.extend_from_slice(&one.data[selector + words * WORD..]);
    }
}

/// What transactions do, as read.
struct Calls {
    targets: Vec<Option<[u8; 20]>>,
    values: Vec<U256>,
    datas: Vec<Vec<u8>>,
}

fn read_calls(reader: &mut Reader<'_>, sizes: &[usize], kinds: &[(u8, bool)]) -> Result<Calls, Malformed> {
    let divisions: Vec<(usize, usize)> = sizes.iter().map(|size| division(*size)).collect();
    let selected = divisions.iter().filter(|(selector, _)| *selector > 0).count();
    let (rows, different) = reader.index(&[selected])?;
    let selectors = reader.fixed::<4>(different)?;
    let mut datas: Vec<Vec<u8>> = sizes.iter().map(|size| Vec::with_capacity(*size)).collect();
    let mut places = rows[0].iter();
    for (data, (selector, _)) in datas.iter_mut().zip(&divisions) {
        if *selector > 0 {
            data.extend(places.next().map(|place| selectors[*place]).unwrap_or_default());
        }
    }
    let value_sizes = reader.take(sizes.len())?;
    let at = |position: usize| divisions.iter().filter(move |(_, words)| *words > position).count();
    let classes = (0..POSITIONS).map(|position| reader.take(at(position))).collect::<Result<Vec<_>, _>>()?;
    if value_sizes.iter().any(|size| usize::from(*size) > WORD) || classes.concat().iter().any(|class| *class > OTHER) {
        return Err("a number or a word of unknown class");
    }
    let (values, numbers) = read_numbers(reader, value_sizes, &classes)?;
    let mut counts = vec![kinds.iter().filter(|(_, to)| *to).count()];
    counts.extend(classes.iter().map(|column| column.iter().filter(|class| **class == ADDRESS).count()));
    let (rows, different) = reader.index(&counts)?;
    let addresses = reader.fixed::<20>(different)?;
    for (position, column) in classes.iter().enumerate() {
        let others = reader.fixed::<WORD>(column.iter().filter(|class| **class == OTHER).count())?;
        let (mut number, mut other) = (numbers[position].iter(), others.iter());
        let mut named = rows[position + 1].iter().map(|place| addresses[*place]);
        let having = datas.iter_mut().zip(&divisions).filter(|(_, (_, words))| *words > position);
        for (class, (data, _)) in column.iter().zip(having) {
            match *class {
                ADDRESS => {
                    data.extend([0; 12]);
                    data.extend(named.next().unwrap_or_default());
                }
                OTHER => data.extend(other.next().copied().unwrap_or_default()),
                _ => data.extend(number.next().copied().unwrap_or_default().to_be_bytes::<WORD>()),
            }
        }
    }
    for (data, size) in datas.iter_mut().zip(sizes) {
        data.extend_from_slice(reader.take(size - data.len())?);
    }
    let mut targets = rows[0].iter().map(|place| addresses[*place]);
    let targets = kinds.iter().map(|(_, to)| if *to { targets.next() } else { None });
    Ok(Calls { targets: targets.collect(), values, datas })
}

type Numbers = (Vec<U256>, Vec<Vec<U256>>);

/// The values, then the numbers among the words of each position.
fn read_numbers(reader: &mut Reader<'_>, value_sizes: &[u8], classes: &[&[u8]]) -> Result<Numbers, Malformed> {
    let mut columns = vec![value_sizes.to_vec()];
    columns.extend(classes.iter().map(|column| column.iter().copied().filter(|class| *class <= NUMBER).collect()));
    let counts: Vec<usize> = columns.iter().map(Vec::len).collect();
    let exponents = reader.blocks(&counts)?;
    let mut read = Vec::with_capacity(columns.len());
    for (at, (sizes, exponents)) in columns.iter().zip(exponents).enumerate() {
        let bound = if at == 0 { WORD } else { usize::from(NUMBER) };
        let mantissas = reader.planes(sizes)?;
        let numbers = mantissas.iter().zip(exponents).map(|(mantissa, exponent)| number(mantissa, *exponent, bound));
        read.push(numbers.collect::<Result<Vec<_>, _>>()?);
    }
    let values = std::mem::take(&mut read[0]);
    Ok((values, read.split_off(1)))
}
