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
        HaltReason::OpcodeNotFound | HaltReason::InvalidFEOpcode | HaltReason::NotActivated => {
            return format!("invalid opcode: opcode {opcode:#x} not defined");
        }
        HaltReason::InvalidJump => "invalid jump destination",
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

/// The same for one instruction of a log, from revm's name for its result. `op` is the instruction's own name. None for
/// what is no error in geth's log.
pub fn of_instruction(result: &str, op: &str, stack_size: Option<usize>) -> Option<String> {
    let name = result.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(result);
    let text = match name {
        "Revert" => return None,
        "StackUnderflow" => {
            let opcode = (0..=u8::MAX).filter_map(OpCode::new).find(|opcode| opcode.as_str() == op);
            let needed = opcode.map_or(0, |opcode| opcode.inputs());
            return Some(format!("stack underflow ({} <=> {needed})", stack_size.unwrap_or_default()));
        }
        "OpcodeNotFound" | "InvalidFEOpcode" | "NotActivated" => return Some(format!("invalid opcode: {op}")),
        "InvalidJump" => "invalid jump destination",
        "StackOverflow" => "stack limit reached 1024 (1023)",
        "OutOfOffset" => "return data out of bounds",
        "StateChangeDuringStaticCall" | "CallNotAllowedInsideStatic" => "write protection",
        "CallTooDeep" => "max call depth exceeded",
        "OutOfFunds" | "OverflowPayment" => "insufficient balance for transfer",
        "CreateCollision" => "contract address collision",
        "CreateContractSizeLimit" => "max code size exceeded",
        "CreateInitCodeSizeLimit" => "max initcode size exceeded",
        "CreateContractStartingWithEF" => "invalid code: must not begin with 0xef",
        "NonceOverflow" => "nonce uint64 overflow",
        other if other.ends_with("OutOfGas") || other.ends_with("OOG") => OUT_OF_GAS,
        other => other,
    };
    Some(text.to_owned())
}
