//! `eth_call` for callers that cannot wait: what turns out to take longer is left to a thread.

use std::time::Instant;

use revm::bytecode::opcode::{
    BALANCE, CALLDATACOPY, CODECOPY, CREATE, CREATE2, EXTCODECOPY, EXTCODEHASH, EXTCODESIZE, KECCAK256, LOG0, LOG4,
    MCOPY, RETURN, RETURNDATACOPY, REVERT, SLOAD,
};
use revm::context::{BlockEnv, ContextTr};
use revm::inspector::Inspector;
use revm::interpreter::interpreter_types::{Jumps, StackTr};
use revm::interpreter::{CallInputs, CallOutcome as FrameOutcome, InstructionResult, Interpreter, InterpreterTypes};
use revm::primitives::hardfork::SpecId;

use super::call::{CallOutcome, CallRequest, Caller, Recorder};
use super::deadline::Deadline;
use super::engine::Spec;
use crate::error::{Error, Result};
use crate::state::View;

/// What a run may take, in instructions: some tenths of a millisecond. A count is the same on a busy machine.
const INSTRUCTIONS: usize = 20_000;
/// Bytes that are hashed or moved in the time of one instruction.
const BYTES: usize = 64;
/// Instructions in whose time something is read from the state that lies in memory.
const READ: usize = 16;
/// The same for recovering a signer.
const RECOVERY: usize = 4_000;

/// Leaves a run that takes long, before it does.
struct Brief {
    until: Instant,
    left: usize,
    over: bool,
}

impl Recorder for Brief {}

impl Brief {
    fn new(until: Instant) -> Self {
        Self { until, left: INSTRUCTIONS, over: false }
    }

    fn spend(&mut self, instructions: usize) {
        self.over |= self.left < instructions;
        self.left = self.left.saturating_sub(instructions);
    }

    /// For what reads the state, which may lie on a disk.
    fn read(&mut self) {
        self.spend(READ);
        self.over |= Instant::now() >= self.until;
    }
}

impl<CTX: ContextTr, INTR: InterpreterTypes> Inspector<CTX, INTR> for Brief {
    #[inline]
    fn step(&mut self, interpreter: &mut Interpreter<INTR>, _: &mut CTX) {
        self.spend(1);
        // Where the number of bytes lies that the instruction goes through, counted from the top of the stack.
        let size_at = match interpreter.bytecode.opcode() {
            KECCAK256 | LOG0..=LOG4 | RETURN | REVERT => 1,
            CALLDATACOPY | CODECOPY | RETURNDATACOPY | MCOPY | CREATE | CREATE2 => 2,
            EXTCODECOPY => 3,
            SLOAD | BALANCE | EXTCODESIZE | EXTCODEHASH => {
                self.read();
                0
            }
            _ => 0,
        };
        if size_at > 0 {
            let stack = interpreter.stack.data();
            let size = stack.len().checked_sub(size_at + 1).map_or(0, |at| stack[at].saturating_to());
            self.spend(size / BYTES);
        }
        if self.over {
            interpreter.halt(InstructionResult::OutOfGas);
        }
    }

    fn call(&mut self, _: &mut CTX, inputs: &mut CallInputs) -> Option<FrameOutcome> {
        self.read();
        self.spend(inputs.input.len() / BYTES);
        let address = inputs.bytecode_address;
        if address[..18] == [0; 18] {
            match address[18..] {
                [0, 1] => self.spend(RECOVERY),
                // Hashes and copies, which the bytes account for, and contracts at a low address.
                [0, 2..=4] | [1..=255, 1..=255] | [2..=255, 0] => {}
                // Curves, pairings and powers need not be quick.
                _ => self.over = true,
            }
        }
        self.over.then(|| FrameOutcome::new_oog(inputs.gas_limit, inputs.return_memory_offset.clone(), 0))
    }
}

/// `request` on the state `around`, as `Engine::call`; None if it takes longer or is refused.
pub fn brief_call(
    mut request: CallRequest,
    around: (View, BlockEnv, SpecId),
    spec: &Spec,
    gas_limit: u64,
    until: Instant,
) -> Result<Option<CallOutcome>> {
    let mut caller = Caller::new(&mut request, around, spec, until)?;
    match caller.inspect(gas_limit, None, Deadline::new(until), Brief::new(until)) {
        Ok(run) => Ok((!run.inspector.over).then_some(run.outcome)),
        Err(Error::Refused(_) | Error::Deadline) => Ok(None),
        Err(error) => Err(error),
    }
}
