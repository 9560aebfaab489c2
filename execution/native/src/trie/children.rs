//! What hangs below a branch: only the ways that are taken have a place in memory, since most branches of a large trie are
//! near its leaves and have two or three.

use super::node::Child;

/// Up to sixteen ways on, by nibble.
#[derive(Debug, Clone, Default)]
pub struct Children {
    /// Bit `n` says whether nibble `n` has a place in the list.
    taken: u16,
    list: Vec<Child>,
}

impl Children {
    pub fn with_room(ways: usize) -> Self {
        Self { taken: 0, list: Vec::with_capacity(ways) }
    }

    pub fn get(&self, nibble: u8) -> &Child {
        if self.has(nibble) { &self.list[self.place(nibble)] } else { &Child::Empty }
    }

    pub fn get_mut(&mut self, nibble: u8) -> Option<&mut Child> {
        let place = self.place(nibble);
        if self.has(nibble) { Some(&mut self.list[place]) } else { None }
    }

    pub fn set(&mut self, nibble: u8, child: Child) {
        let place = self.place(nibble);
        if self.has(nibble) {
            self.list[place] = child;
        } else {
            self.list.insert(place, child);
            self.taken |= 1 << nibble;
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (u8, &Child)> {
        nibbles(self.taken).zip(&self.list)
    }

    /// For changes along `ways`, one bit a nibble, which may fill ways that are not taken yet; `close` comes after it.
    pub fn open(&mut self, ways: u16) -> impl Iterator<Item = (u8, &mut Child)> {
        let new = ways & !self.taken;
        self.list.reserve_exact(new.count_ones() as usize);
        nibbles(new).for_each(|nibble| self.set(nibble, Child::Empty));
        nibbles(self.taken).zip(&mut self.list).filter(move |(nibble, _)| ways >> nibble & 1 != 0)
    }

    /// Gives up the places of children that are empty now.
    pub fn close(&mut self) {
        if self.list.iter().any(Child::is_empty) {
            let empty = self.iter().filter(|(_, child)| child.is_empty());
            let empty = empty.fold(0, |bits, (nibble, _)| bits | 1 << nibble);
            self.taken &= !empty;
            self.list.retain(|child| !child.is_empty());
        }
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// The child that is left, with its nibble, if it is just one.
    pub fn only(self) -> Option<(u8, Child)> {
        let Self { taken, mut list } = self;
        if list.len() == 1 { Some((taken.trailing_zeros() as u8, list.pop()?)) } else { None }
    }

    fn has(&self, nibble: u8) -> bool {
        self.taken >> nibble & 1 != 0
    }

    /// Where the nibble is in the list, or would be.
    fn place(&self, nibble: u8) -> usize {
        (self.taken & ((1 << nibble) - 1)).count_ones() as usize
    }
}

/// The bits that are set, from the lowest.
fn nibbles(bits: u16) -> impl Iterator<Item = u8> {
    let mut rest = bits;
    std::iter::from_fn(move || {
        let nibble = rest.trailing_zeros() as u8;
        rest &= rest.wrapping_sub(1);
        (nibble < 16).then_some(nibble)
    })
}

#[cfg(test)]
mod tests {
    use super::super::encode::Reference;
    use super::*;

    fn child(number: u8) -> Child {
        Child::Stored { reference: Reference::inline(&[0xc1, number]), branch: false }
    }

    fn is(one: &Child, other: &Child) -> bool {
        one.is_empty() == other.is_empty() && one.reference() == other.reference()
    }

    #[test]
    fn it_holds_what_sixteen_places_would() {
        let mut children = Children::default();
        let mut places: [Child; 16] = Default::default();
        for turn in 0..500u32 {
            let ways = (turn.wrapping_mul(0x9e37_79b9) >> 16) as u16;
            for (nibble, place) in children.open(ways) {
                assert!(ways >> nibble & 1 != 0 && is(place, &places[nibble as usize]));
                let new = if (turn + u32::from(nibble)).is_multiple_of(3) { Child::Empty } else { child(turn as u8) };
                *place = new.clone();
                places[nibble as usize] = new;
            }
            children.close();
            let nibble = (turn % 16) as u8;
            if let Some(place) = children.get_mut(nibble) {
                *place = child(nibble);
                places[nibble as usize] = child(nibble);
            }
            assert!((0..16).all(|nibble| is(children.get(nibble), &places[nibble as usize])));
            assert_eq!(children.len(), places.iter().filter(|place| !place.is_empty()).count());
            assert!(children.iter().all(|(nibble, found)| is(found, &places[nibble as usize])));
            assert_eq!(children.iter().count(), children.len());
        }
    }

    #[test]
    fn the_last_one_is_known() {
        let mut children = Children::with_room(2);
        assert!(children.clone().only().is_none());
        children.set(9, child(9));
        assert!(children.clone().only().is_some_and(|(nibble, last)| nibble == 9 && is(&last, &child(9))));
        children.set(3, child(3));
        assert!(children.only().is_none());
    }
}
