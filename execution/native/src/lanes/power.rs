//! Inverses and square roots of field elements: one chain of powers, which both exponents begin with.

use std::arch::x86_64::__mmask8;

use super::field::Field;

/// The inverse modulo p of each, by Fermat: the power p - 2. Zero for zero.
#[target_feature(enable = "avx512f,avx512ifma")]
pub fn inverse<const N: usize>(elements: [Field; N]) -> [Field; N] {
    let powers = Powers::of(elements);
    let power = times(squared(powers.of_223_ones, 23), powers.of_22_ones);
    let power = times(squared(power, 5), elements);
    let power = times(squared(power, 3), powers.of_2_ones);
    times(squared(power, 2), elements)
}

/// A square root of each, the power (p + 1) / 4, and the lanes that have one. The elements have size 2 at most.
#[target_feature(enable = "avx512f,avx512ifma")]
pub fn square_root<const N: usize>(elements: [Field; N]) -> [(Field, __mmask8); N] {
    let powers = Powers::of(elements);
    let power = times(squared(powers.of_223_ones, 23), powers.of_22_ones);
    let power = times(squared(power, 6), powers.of_2_ones);
    let mut roots = squared(power, 2).map(|root| (root, 0));
    for ((root, valid), element) in roots.iter_mut().zip(elements) {
        *valid = root.square().minus(element).carry::<3>().zeros();
    }
    roots
}

/// Powers whose exponents are that many binary ones.
struct Powers<const N: usize> {
    of_2_ones: [Field; N],
    of_22_ones: [Field; N],
    of_223_ones: [Field; N],
}

impl<const N: usize> Powers<N> {
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn of(elements: [Field; N]) -> Self {
        let of_2_ones = times(squared(elements, 1), elements);
        let of_3_ones = times(squared(of_2_ones, 1), elements);
        let of_6_ones = times(squared(of_3_ones, 3), of_3_ones);
        let of_9_ones = times(squared(of_6_ones, 3), of_3_ones);
        let of_11_ones = times(squared(of_9_ones, 2), of_2_ones);
        let of_22_ones = times(squared(of_11_ones, 11), of_11_ones);
        let of_44_ones = times(squared(of_22_ones, 22), of_22_ones);
        let of_88_ones = times(squared(of_44_ones, 44), of_44_ones);
        let of_176_ones = times(squared(of_88_ones, 88), of_88_ones);
        let of_220_ones = times(squared(of_176_ones, 44), of_44_ones);
        let of_223_ones = times(squared(of_220_ones, 3), of_3_ones);
        Self { of_2_ones, of_22_ones, of_223_ones }
    }
}

/// Squared `count` times. A square waits for the one before it, so several elements take little longer than one.
#[target_feature(enable = "avx512f,avx512ifma")]
fn squared<const N: usize>(mut elements: [Field; N], count: usize) -> [Field; N] {
    for _ in 0..count {
        for element in &mut elements {
            *element = element.square();
        }
    }
    elements
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn times<const N: usize>(mut elements: [Field; N], others: [Field; N]) -> [Field; N] {
    for (element, other) in elements.iter_mut().zip(others) {
        *element = element.times(other);
    }
    elements
}
