//! The plugins that are part of the binary: whatever lay in `plugins/` when it was built.

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn {
    /// Its folder's name.
    pub name: &'static str,
    /// The component.
    pub bytes: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/built_ins.rs"));

/// All of them, by name.
pub fn built_ins() -> &'static [BuiltIn] {
    BUILT_INS
}

pub(crate) fn find(name: &str) -> Option<BuiltIn> {
    BUILT_INS.iter().find(|plugin| plugin.name == name).copied()
}
