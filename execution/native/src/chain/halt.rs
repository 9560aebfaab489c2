//! Exceptional halts in geth's words (core/vm/errors.go), which wallets and tools show and match on.

use revm::bytecode::opcode::{OpCode, RETURN};
use revm::context::result::{HaltReason, OutOfGasError};

pub const OUT_OF_GAS: &str = "out of gas";

/// What stopped the code. `opcode` is the last instruction that was begun, with `stack_size` items on the stack.
pub fn describe(halt: &HaltReason, opcode: u8, stack_size: usize) -> String {
    let text = match halt {
        // At RETURN there is nothing left to pay for but memory, which has an error of its own, and the new code.
        HaltReason::OutOfGas(OutOfGasError::Basic) if opcode == RETURN => "contract creation code storage out of gas",
        HaltReason::OutOfGas(_) => OUT_OF_GAS,
        HaltReason::InvalidFEOpcode => "invalid opcode: INVALID",
        HaltReason::OpcodeNotFound | HaltReason::NotActivated => {
            return format!("invalid opcode: {}", undefined(opcode));
        }
        HaltReason::InvalidJump => "invalid jump destination",
        HaltReason::StackOverflow if stack_size < duplicated(opcode) => {
            return format!("stack underflow ({stack_size} <=> {})", duplicated(opcode));
        }
        HaltReason::StackUnderflow => {
            let needed = OpCode::new(opcode).map_or(0, |opcode| opcode.inputs());
            return format!("stack underflow ({stack_size} <=> {needed})");
        }
        HaltReason::StackOverflow => "stack limit reached 1024 (1023)",
        HaltReason::OutOfOffset => "return data out of bounds",
        HaltReason::CreateCollision => "contract address collision",
        HaltReason::NonceOverflow => "nonce uint64 overflow",
        HaltReason::CreateContractSizeLimit => "max code size exceeded",
        HaltReason::CreateContractStartingWithEF => "invalid code: must not begin with 0xef",
        HaltReason::CreateInitCodeSizeLimit => "max initcode size exceeded",
        HaltReason::StateChangeDuringStaticCall | HaltReason::CallNotAllowedInsideStatic => "write protection",
        HaltReason::OutOfFunds | HaltReason::OverflowPayment => "insufficient balance for transfer",
        HaltReason::CallTooDeep => "max call depth exceeded",
        HaltReason::PrecompileErrorWithContext(context) => return context.clone(),
        HaltReason::PrecompileError => "precompile failed",
    };
    text.to_owned()
}

/// How deep DUP1 to DUP16 reach, 0 for any other. revm reports each of their failures as an overflow.
fn duplicated(opcode: u8) -> usize {
    if (0x80..=0x8f).contains(&opcode) { usize::from(opcode - 0x7f) } else { 0 }
}

/// How geth names an opcode that no instruction has.
pub fn undefined(opcode: u8) -> String {
    format!("opcode {opcode:#x} not defined")
}
