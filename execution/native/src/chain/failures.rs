//! What stopped frames and instructions of a traced execution, in geth's words.

use std::collections::HashMap;

use revm::context::ContextTr;
use revm::context::result::HaltReason;
use revm::inspector::Inspector;
use revm::interpreter::interpreter_types::{Jumps, LoopControl, StackTr};
use revm::interpreter::{
    CallInputs, CallOutcome, CreateInputs, CreateOutcome, InstructionResult, Interpreter, InterpreterTypes,
    SuccessOrHalt,
};

use super::halt;

/// An inspector that notes how frames and instructions fail, by the order in which they begin.
#[derive(Debug, Default)]
pub struct Failures {
    pub frames: HashMap<usize, String>,
    pub instructions: HashMap<usize, String>,
    /// Opcodes that no instruction of the fork has.
    pub undefined: HashMap<usize, u8>,
    frames_begun: usize,
    instructions_begun: usize,
    open: Vec<usize>,
    opcode: u8,
    stack_size: usize,
}

impl Failures {
    fn enter(&mut self) {
        self.open.push(self.frames_begun);
        self.frames_begun += 1;
    }

    fn leave(&mut self, result: InstructionResult) {
        if let (Some(frame), Some(words)) = (self.open.pop(), self.words(result)) {
            self.frames.insert(frame, words);
        }
    }

    fn words(&self, result: InstructionResult) -> Option<String> {
        let reason: HaltReason = SuccessOrHalt::from(result).to_halt()?;
        Some(halt::describe(&reason, self.opcode, self.stack_size))
    }
}

impl<CTX: ContextTr, INTR: InterpreterTypes> Inspector<CTX, INTR> for Failures {
    fn step(&mut self, interpreter: &mut Interpreter<INTR>, _: &mut CTX) {
        self.opcode = interpreter.bytecode.opcode();
        self.stack_size = interpreter.stack.len();
        self.instructions_begun += 1;
    }

    fn step_end(&mut self, interpreter: &mut Interpreter<INTR>, _: &mut CTX) {
        let result = interpreter.bytecode.action().as_ref().and_then(|action| action.instruction_result());
        let number = self.instructions_begun - 1;
        if matches!(result, Some(InstructionResult::OpcodeNotFound | InstructionResult::NotActivated)) {
            self.undefined.insert(number, self.opcode);
        }
        if let Some(words) = result.and_then(|result| self.words(result)) {
            self.instructions.insert(number, words);
        }
    }

    fn call(&mut self, _: &mut CTX, _: &mut CallInputs) -> Option<CallOutcome> {
        self.enter();
        None
    }

    fn call_end(&mut self, _: &mut CTX, _: &CallInputs, outcome: &mut CallOutcome) {
        self.leave(outcome.result.result);
    }

    fn create(&mut self, _: &mut CTX, _: &mut CreateInputs) -> Option<CreateOutcome> {
        self.enter();
        None
    }

    fn create_end(&mut self, _: &mut CTX, _: &CreateInputs, outcome: &mut CreateOutcome) {
        self.leave(outcome.result.result);
    }
}
