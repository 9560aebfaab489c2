//! mimalloc, told of an alignment only where its blocks do not have it anyway.
//!
//! Its blocks of sixteen bytes and more lie at multiples of sixteen. Asked for an alignment all the same, as the crate
//! `mimalloc` asks it every time, it gives whatever is no power of two a larger block, on a longer way there and back.

use std::alloc::{GlobalAlloc, Layout};

use libmimalloc_sys::{
    mi_free, mi_malloc, mi_malloc_aligned, mi_realloc, mi_realloc_aligned, mi_zalloc, mi_zalloc_aligned,
};

pub struct Allocator;

/// `MI_MAX_ALIGN_SIZE`.
const ALIGNED: usize = 16;

/// A block of so many bytes has the alignment without being told.
fn is_aligned(size: usize, align: usize) -> bool {
    align <= ALIGNED && align <= size
}

// SAFETY: every block comes from mimalloc, with the alignment that was asked for, and goes back to it.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: any size and any power of two will do.
        unsafe { if is_aligned(size, align) { mi_malloc(size) } else { mi_malloc_aligned(size, align) }.cast() }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: as above.
        unsafe { if is_aligned(size, align) { mi_zalloc(size) } else { mi_zalloc_aligned(size, align) }.cast() }
    }

    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the caller has it from here.
        unsafe { mi_free(block.cast()) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let align = layout.align();
        // SAFETY: the caller has the block from here, and as above.
        unsafe {
            if is_aligned(size, align) {
                mi_realloc(block.cast(), size)
            } else {
                mi_realloc_aligned(block.cast(), size, align)
            }
            .cast()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_has_its_alignment() {
        for align in [1, 2, 4, 8, 16, 32, 64, 128, 4096] {
            for size in [1, 7, 8, 9, 15, 16, 17, 24, 33, 40, 48, 63, 65, 104, 704, 1025, 5000, 70_000, 3 << 20] {
                let layout = Layout::from_size_align(size, align).unwrap();
                // SAFETY: the blocks are given back with the layout they have.
                unsafe {
                    let (block, zeros) = (Allocator.alloc(layout), Allocator.alloc_zeroed(layout));
                    block.write_bytes(7, size);
                    assert!((0..size).all(|at| *zeros.add(at) == 0));
                    let larger = Allocator.realloc(block, layout, 3 * size + 5);
                    assert!((0..size).all(|at| *larger.add(at) == 7));
                    for block in [zeros, larger] {
                        assert_eq!(block as usize % align, 0, "{size} bytes at a multiple of {align}");
                    }
                    Allocator.dealloc(zeros, layout);
                    Allocator.dealloc(larger, Layout::from_size_align(3 * size + 5, align).unwrap());
                }
            }
        }
    }
}
