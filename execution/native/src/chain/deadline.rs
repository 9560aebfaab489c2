//! Stops execution that takes too long, from inside: every instruction counts, every 1024th looks at the clock.

use std::time::Instant;

use revm::context::ContextTr;
use revm::inspector::Inspector;
use revm::interpreter::interpreter_types::{Jumps, StackTr};
use revm::interpreter::{InstructionResult, Interpreter, InterpreterTypes};

use crate::error::Error;

/// How many instructions pass between looks at the clock: some ten microseconds.
const EVERY: u32 = 1024;

/// An inspector that ends every frame once the time is over, and knows the last instruction for messages.
#[derive(Debug)]
pub struct Deadline {
    at: Instant,
    count: u32,
    pub passed: bool,
    /// It passed because there was too much to record.
    full: bool,
    pub opcode: u8,
    pub stack_size: usize,
    /// Stack items that may still be recorded.
    budget: Option<usize>,
}

impl Deadline {
    pub fn new(at: Instant) -> Self {
        Self { at, count: 0, passed: false, full: false, opcode: 0, stack_size: 0, budget: None }
    }
}

/// Stack items that a log of instructions may hold: 256 MiB of words.
const RECORDED_ITEMS: usize = 1 << 23;
/// What a recorded instruction takes besides its stack, in stack items.
const STEP_ITEMS: usize = 8;

impl Deadline {
    /// Stops a run of which every instruction is recorded also before the record fills the memory.
    pub fn of_recording(at: Instant) -> Self {
        Self { budget: Some(RECORDED_ITEMS), ..Self::new(at) }
    }

    /// Why the run was stopped, if it was.
    pub fn stopped(&self) -> Option<Error> {
        self.passed.then_some(if self.full { Error::TooLarge } else { Error::Deadline })
    }
}

impl<CTX: ContextTr, INTR: InterpreterTypes> Inspector<CTX, INTR> for Deadline {
    #[inline]
    fn step(&mut self, interpreter: &mut Interpreter<INTR>, _: &mut CTX) {
        self.opcode = interpreter.bytecode.opcode();
        self.stack_size = interpreter.stack.len();
        if let Some(budget) = &mut self.budget {
            *budget = budget.saturating_sub(self.stack_size + STEP_ITEMS);
            self.full |= *budget == 0;
            self.passed |= self.full;
        }
        self.count = self.count.wrapping_add(1);
        if self.count.is_multiple_of(EVERY) && Instant::now() >= self.at {
            self.passed = true;
        }
        if self.passed {
            interpreter.halt(InstructionResult::OutOfGas);
        }
    }
}
