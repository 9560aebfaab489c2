//! Points of secp256k1, eight at a time, by formulas without branches.
//!
//! The formulas are incomplete: they fail where two points to add are equal, opposite or infinity. See
//! [`Jacobian`] for why that needs no check along the way.

use super::field::Field;
use super::table::{Digit, Table};

/// A point (x, y).
#[derive(Clone, Copy)]
pub struct Affine {
    pub x: Field,
    pub y: Field,
}

/// The point (x/z², y/z³), or *lost* where z is zero.
///
/// Whatever goes wrong shows in the end. Doubling multiplies z with 2y, and adding multiplies it with the
/// difference h of the abscissas. So a lost point stays lost through everything that follows; and one that is not
/// lost is right, by induction: no point of the curve has y = 0, since its order is odd and prime, hence doubling is
/// right for every point; adding is right unless h = 0, which are the equal and the opposite points, and both
/// are then lost. Infinity is never reached otherwise, and never started from. A sum that is rightly infinity
/// counts as lost too.
///
/// Sizes (see `field`): x at most 10, y at most 10, z at most 2.
#[derive(Clone, Copy)]
pub struct Jacobian {
    pub x: Field,
    pub y: Field,
    pub z: Field,
}

impl Jacobian {
    /// Twice the point: three products and four squares.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn doubled(self) -> Self {
        let a = self.x.square();
        let b = self.y.square();
        let c = b.square();
        let d = self.x.times(b);
        let e = a.shifted::<1>().plus(a).carry::<0>();
        let x = e.square().minus(d.shifted::<3>()).carry::<9>();
        let y = e.times(d.shifted::<2>().minus(x).carry::<11>()).minus(c.shifted::<3>()).carry::<9>();
        let z = self.y.times(self.z).shifted::<1>().carry::<0>();
        Self { x, y, z }
    }

    /// The sum with `other`, whose coordinates have size 2 at most.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn plus(self, other: Affine) -> Self {
        self.plus_at(other, self.z)
    }

    /// The sum with `other`, from a curve on which this point's z would be `z`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn plus_at(self, other: Affine, z: Field) -> Self {
        let z2 = z.square();
        let h = other.x.times(z2).minus(self.x).carry::<11>();
        let r = other.y.times(z2.times(z)).minus(self.y).carry::<11>();
        let h2 = h.square();
        let h3 = h2.times(h);
        let v = self.x.times(h2);
        let x = r.square().minus(h3).minus(v.shifted::<1>()).carry::<4>();
        let y = r.times(v.minus(x).carry::<6>()).minus(self.y.times(h3)).carry::<2>();
        Self { x, y, z: self.z.times(h) }
    }
}

/// The sixteen odd multiples P, 3P .. 31P of a point, and those of λP, as affine points of another curve.
///
/// The other curve is y² = x³ + 7·scale⁶: a point (x, y) here is the point (x/scale², y/scale³) of secp256k1. The
/// formulas of addition and doubling do not use the 7, so they hold on it unchanged, and the sixteen points need no
/// inversion: they share one z, which is `scale`.
pub struct Multiples {
    table: Table,
    pub scale: Field,
}

pub const MULTIPLES: usize = 16;
/// The cube root of one by which λ(x, y) = (βx, y).
const BETA: [u64; 5] = super::field::limbs(alloy_primitives::uint!(
    0x7ae96a2b657c07106e64479eac3434e99cf0497512f58995c1396c28719501ee_U256
));

impl Multiples {
    /// No two of the points that are added here are equal or opposite: they are different odd and even multiples
    /// up to 31 of a point of a large prime order.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn of(point: Affine) -> Self {
        let (first, mut twice, z) = with_double(point);
        let mut points = [first; MULTIPLES];
        let mut ratios = [z; MULTIPLES];
        for i in 1..MULTIPLES {
            (points[i], twice, ratios[i]) = sum_with_shared_z(twice, points[i - 1]);
        }
        let mut scale = Field::splat([1, 0, 0, 0, 0]);
        for i in (0..MULTIPLES).rev() {
            let square = scale.square();
            let Affine { x, y } = points[i];
            points[i] = Affine { x: x.times(square), y: y.times(square.times(scale)) };
            scale = scale.times(ratios[i]);
        }
        let beta = Field::splat(BETA);
        Self { table: Table::of_lanes(&points.map(|Affine { x, y }| [x, y, x.times(beta)])), scale }
    }

    /// The multiple of P, or with `lambda` of λP.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn get(&self, digit: Digit, lambda: bool) -> Affine {
        self.table.point(digit, if lambda { 2 } else { 0 }, 1)
    }
}

/// A point and its double, sharing the z that comes last.
#[target_feature(enable = "avx512f,avx512ifma")]
fn with_double(Affine { x, y }: Affine) -> (Affine, Affine, Field) {
    let b = y.square().shifted::<1>().carry::<0>();
    let s = x.times(b).shifted::<1>().carry::<0>();
    let c = b.square().shifted::<1>().carry::<0>();
    let a = x.square();
    let m = a.shifted::<1>().plus(a).carry::<0>();
    let double_x = m.square().minus(s.shifted::<1>()).carry::<5>();
    let double_y = m.times(s.minus(double_x).carry::<7>()).minus(c).carry::<3>();
    (Affine { x: s, y: c }, Affine { x: double_x, y: double_y }, y.shifted::<1>().carry::<0>())
}

/// `a + b` and `a` of points that share their z; then what their common new z is of the old (Meloni 2007).
#[target_feature(enable = "avx512f,avx512ifma")]
fn sum_with_shared_z(a: Affine, b: Affine) -> (Affine, Affine, Field) {
    let h = a.x.minus(b.x).carry::<6>();
    let r = a.y.minus(b.y).carry::<4>();
    let h2 = h.square();
    let (wa, wb) = (a.x.times(h2), b.x.times(h2));
    let ya = a.y.times(wa.minus(wb).carry::<2>());
    let x = r.square().minus(wa).minus(wb).carry::<3>();
    let y = r.times(wa.minus(x).carry::<5>()).minus(ya).carry::<2>();
    (Affine { x, y }, Affine { x: wa, y: ya }, h)
}
