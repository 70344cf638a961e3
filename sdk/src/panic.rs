//! Panics, made readable: without this a guest's panic is a bare trap.

use std::panic;
use std::sync::Once;

use crate::log;

/// Makes panics log where and why, at error level; the host turns that line into the report's cause.
///
/// A component has no start function of its own, so every export calls this first.
pub(crate) fn install() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        panic::set_hook(Box::new(|info| {
            let message = info.payload_as_str().unwrap_or("no message");
            match info.location() {
                Some(place) => {
                    let (file, line, column) = (place.file(), place.line(), place.column());
                    log::error(&format!("panicked at {file}:{line}:{column}: {message}"));
                }
                None => log::error(&format!("panicked: {message}")),
            }
        }));
    });
}
