//! How a call into a plugin can end, other than well.

use std::fmt;

use assay_bindings::imports::types::{ConfigError, Failure};
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};

use super::{
    sandbox::{Sandbox, Symptoms},
    text::cut,
};
use crate::observe::PluginFailureKind;

/// Why a call into a plugin has no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CallError {
    /// The plugin answered with a failure. The instance goes on.
    #[error("{}", Readable(.0))]
    Failed(Failure),
    /// The call did not return in good order. The instance is lost.
    #[error("{}: {message}", named(*.kind))]
    Broken { kind: PluginFailureKind, message: String },
    /// This machine, or the pool of instances, has no room for another one. Not the plugin's fault.
    #[error("there is no room for another instance: {0}")]
    NoRoom(String),
    /// The instance was lost in an earlier call.
    #[error("the instance was lost in an earlier call")]
    Lost,
}

impl CallError {
    /// Is the instance of no use any more?
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::Failed(_))
    }
}

/// Why an instance could not be configured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigureError {
    /// The plugin does not accept its config; at least one reason.
    #[error("{}", .0.iter().map(|error| format!("{}: {}", error.pointer, error.message)).collect::<Vec<_>>().join("; "))]
    Rejected(Vec<ConfigError>),
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Why there is no room for an instance, if that is what an error means.
pub(crate) fn no_room(error: &wasmtime::Error) -> Option<String> {
    let root = error.root_cause();
    let errno = root
        .downcast_ref::<rustix::io::Errno>()
        .copied()
        .or_else(|| root.downcast_ref().and_then(rustix::io::Errno::from_io_error));
    let full = error.downcast_ref::<PoolConcurrencyLimitError>().is_some();
    (full || errno == Some(rustix::io::Errno::NOMEM)).then(|| root.to_string())
}

/// What people call a kind of breakdown.
fn named(kind: PluginFailureKind) -> &'static str {
    match kind {
        PluginFailureKind::Failed => "failed",
        PluginFailureKind::Trapped => "trapped",
        PluginFailureKind::Panicked => "panicked",
        PluginFailureKind::StackExhausted => "ran out of stack",
        PluginFailureKind::Looped => "computed too long without calling the host",
        PluginFailureKind::TimedOut => "missed its deadline",
        PluginFailureKind::OutOfMemory => "ran out of memory",
        PluginFailureKind::TooMuchData => "handed over too much data",
    }
}

/// A failure as one line.
struct Readable<'a>(&'a Failure);

impl fmt::Display for Readable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (case, text) = match self.0 {
            Failure::Unsupported(text) => ("unsupported", text),
            Failure::Denied(text) => ("denied", text),
            Failure::NotFound(text) => ("not found", text),
            Failure::Conflict(text) => ("conflict", text),
            Failure::TimedOut(text) => ("timed out", text),
            Failure::Unreachable(text) => ("unreachable", text),
            Failure::Invalid(text) => ("invalid", text),
            Failure::Other(text) => return f.write_str(text),
        };
        write!(f, "{case}: {text}")
    }
}

/// The failure with its text cut to what may reach the report.
pub(crate) fn cut_failure(failure: Failure) -> Failure {
    match failure {
        Failure::Unsupported(text) => Failure::Unsupported(cut(text)),
        Failure::Denied(text) => Failure::Denied(cut(text)),
        Failure::NotFound(text) => Failure::NotFound(cut(text)),
        Failure::Conflict(text) => Failure::Conflict(cut(text)),
        Failure::TimedOut(text) => Failure::TimedOut(cut(text)),
        Failure::Unreachable(text) => Failure::Unreachable(cut(text)),
        Failure::Invalid(text) => Failure::Invalid(cut(text)),
        Failure::Other(text) => Failure::Other(cut(text)),
    }
}

/// Names the cause of a call that WebAssembly or the host broke off.
pub(crate) fn diagnose(error: &wasmtime::Error, sandbox: &Sandbox) -> (PluginFailureKind, String) {
    use PluginFailureKind::{Looped, OutOfMemory, Panicked, StackExhausted, TooMuchData, Trapped};

    let limits = sandbox.limits();
    let trap = error.downcast_ref::<Trap>().copied();
    match trap {
        Some(Trap::StackOverflow) => {
            let place = innermost(error).map(|name| format!(", last in {name}")).unwrap_or_default();
            return (StackExhausted, format!("it recursed past its 256 KiB{place}"));
        }
        Some(Trap::Interrupt) => {
            let allowed = limits.busy_timeout;
            return (Looped, format!("it computed for {allowed:?} without calling the host"));
        }
        _ => {}
    }
    // The error's type is private to wasmtime; a test with a plugin that does it holds this text.
    if format!("{error:?}").contains("fuel allocated for hostcalls has been exhausted") {
        let allowed = bytesize::ByteSize(limits.host_call_data);
        return (TooMuchData, format!("one call may hand over {allowed}"));
    }
    let Symptoms { panic, refused, output } = sandbox.symptoms();
    // A refused growth surfaces as whatever the guest's language does then: a bare trap, or a panic
    // that speaks of allocation. A guest that coped and panicked over something else is not blamed.
    if let Some(wanted) = refused
        && panic.as_deref().is_none_or(speaks_of_memory)
    {
        let (wanted, allowed) = (bytesize::ByteSize(wanted), bytesize::ByteSize(limits.memory));
        return (OutOfMemory, format!("it asked for {wanted} and may have {allowed}"));
    }
    if let Some(panic) = panic {
        return (Panicked, panic);
    }
    let mut message = match trap {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    if let Some(name) = innermost(error) {
        message.push_str(&format!(", in {name}"));
    }
    if let Some(output) = output {
        message.push_str(&format!("; last it wrote: {output}"));
    }
    (Trapped, cut(message))
}

fn speaks_of_memory(panic: &str) -> bool {
    let panic = panic.to_ascii_lowercase();
    ["alloc", "memory", "capacity overflow"].iter().any(|word| panic.contains(word))
}

/// The innermost function on the stack that has a name: plugins may be stripped.
fn innermost(error: &wasmtime::Error) -> Option<String> {
    let backtrace = error.downcast_ref::<WasmBacktrace>()?;
    backtrace.frames().iter().find_map(|frame| frame.func_name().map(|name| cut(name.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_one_line() {
        let failed = CallError::Failed(Failure::NotFound("instance 'db-0'".to_owned()));
        insta::assert_snapshot!(failed, @"not found: instance 'db-0'");
        let broken = CallError::Broken {
            kind: PluginFailureKind::Panicked,
            message: "src/lib.rs:3:5: no rows".to_owned(),
        };
        insta::assert_snapshot!(broken, @"panicked: src/lib.rs:3:5: no rows");
        let rejected = ConfigureError::Rejected(vec![ConfigError {
            pointer: "/selector".to_owned(),
            message: "must not be empty".to_owned(),
        }]);
        insta::assert_snapshot!(rejected, @"/selector: must not be empty");
    }
}
