//! The recovery itself: u1·G + u2·R for eight signatures at a time.

use std::arch::x86_64::__mmask8;

use super::field::Field;
use super::point::{Affine, Jacobian, Multiples};
use super::power::{inverse, square_root};
use super::scalar::{Factors, HALF_BITS, factors};
use super::table::{Digits, GENERATOR, GENERATOR_BITS};
use super::{Key, LANES, Signature};

/// Bits of a window of R; two of them make one of the generator.
const POINT_BITS: u32 = 5;
/// Signatures that share the inversions.
const BATCH: usize = 8 * LANES;

const ONE: [u64; 5] = [1, 0, 0, 0, 0];
const SEVEN: [u64; 5] = [7, 0, 0, 0, 0];

/// See `super::recover`.
#[target_feature(enable = "avx512f,avx512ifma")]
pub fn recover(signatures: &[Signature]) -> Vec<Option<Key>> {
    let mut keys = Vec::with_capacity(signatures.len());
    for batch in signatures.chunks(BATCH) {
        let factors = factors(batch);
        let points = lift(batch);
        let sums: Vec<Jacobian> =
            factors.chunks(LANES).zip(&points).map(|(factors, (point, _))| sum(factors, *point)).collect();
        for ((sum, known), (_, valid)) in affine(&sums).into_iter().zip(points) {
            let (x, y) = (sum.x.store(), sum.y.store());
            let known = known & valid;
            keys.extend((0..LANES).map(|lane| (known >> lane & 1 == 1).then_some([x[lane], y[lane]])));
        }
    }
    keys.truncate(signatures.len());
    keys
}

/// The points with abscissas r and the wanted parity, and the lanes where there is one.
#[target_feature(enable = "avx512f,avx512ifma")]
fn lift(signatures: &[Signature]) -> Vec<(Affine, __mmask8)> {
    let groups: Vec<&[Signature]> = signatures.chunks(LANES).collect();
    let mut points = Vec::with_capacity(groups.len());
    for pair in groups.chunks(2) {
        let x = [pair[0], pair[pair.len() - 1]].map(|group| Field::load(&filled(group, |signature| signature.r)));
        let squares = x.map(|x| x.square().times(x).plus(Field::splat(SEVEN)).carry::<0>());
        for ((group, x), (y, valid)) in pair.iter().zip(x).zip(square_root(squares)) {
            let wanted = filled(group, |signature| signature.y_odd);
            let wanted = (0..LANES).fold(0, |mask, lane| mask | u8::from(wanted[lane]) << lane);
            points.push((Affine { x, y: y.negated_where(y.odds() ^ wanted) }, valid));
        }
    }
    points
}

/// What `of` says of up to eight items, the first standing in for those that are missing.
fn filled<T, V>(items: &[T], of: impl Fn(&T) -> V) -> [V; LANES] {
    std::array::from_fn(|lane| of(items.get(lane).unwrap_or(&items[0])))
}

/// `u1·G + u2·point`: four halves by windows from the highest, over one row of doublings.
#[target_feature(enable = "avx512f,avx512ifma")]
fn sum(factors: &[Factors], point: Affine) -> Jacobian {
    let of_point = [0, 1].map(|half| Digits::load(filled(factors, |factors| factors.point[half])));
    let of_generator = [0, 1].map(|half| Digits::load(filled(factors, |factors| factors.generator[half])));
    let multiples = Multiples::of(point);
    let highest = HALF_BITS - POINT_BITS;
    let Affine { x, y } = multiples.get(of_point[0].digit(highest, POINT_BITS), false);
    let mut sum = Jacobian { x, y, z: Field::splat(ONE) };
    sum = sum.plus(multiples.get(of_point[1].digit(highest, POINT_BITS), true));
    for from in (0..highest).step_by(POINT_BITS as usize).rev() {
        for _ in 0..POINT_BITS {
            sum = sum.doubled();
        }
        for (half, digits) in of_point.iter().enumerate() {
            sum = sum.plus(multiples.get(digits.digit(from, POINT_BITS), half == 1));
        }
        if from % GENERATOR_BITS == 0 {
            for (digits, table) in of_generator.iter().zip(&*GENERATOR) {
                let multiple = table.point(digits.digit(from, GENERATOR_BITS), 0, 1);
                sum = sum.plus_at(multiple, sum.z.times(multiples.scale));
            }
        }
    }
    Jacobian { z: sum.z.times(multiples.scale), ..sum }
}

/// The points as (x, y), and the lanes where they are not lost. One inversion serves all (Montgomery's trick); what
/// is lost takes part with one for its zero, so that it costs the others of its lane nothing.
#[target_feature(enable = "avx512f,avx512ifma")]
fn affine(points: &[Jacobian]) -> Vec<(Affine, __mmask8)> {
    let one = Field::splat(ONE);
    let mut product = one;
    let mut before = Vec::with_capacity(points.len());
    for point in points {
        let lost = point.z.zeros();
        let z = point.z.or_else(lost, one);
        before.push((product, z, lost));
        product = product.times(z);
    }
    let [mut inverse] = inverse([product]);
    let mut affine = Vec::with_capacity(points.len());
    for (point, (product, z, lost)) in points.iter().zip(before).rev() {
        let z_inverse = inverse.times(product);
        inverse = inverse.times(z);
        let square = z_inverse.square();
        let (x, y) = (point.x.times(square), point.y.times(square.times(z_inverse)));
        affine.push((Affine { x, y }, !lost));
    }
    affine.reverse();
    affine
}
