//! What a component is, told from what it exports.

use std::fmt;

/// The kinds of plugin, one world each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PluginKind {
    Behavior,
    Fault,
    Assertion,
}

impl fmt::Display for PluginKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Behavior => "behavior",
            Self::Fault => "fault",
            Self::Assertion => "assertion",
        })
    }
}

/// The contract that this host speaks: plugins built against any 0.1 are welcome.
pub(crate) const CONTRACT: (u64, u64) = (0, 1);

const PACKAGE: &str = "assay:plugin/";

/// Why a component is no plugin for this host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KindError {
    #[error(
        "built against assay:plugin {version}; this host speaks {}.{}: build it against the host's own SDK",
        CONTRACT.0,
        CONTRACT.1
    )]
    Version { version: String },
    #[error("exports neither assay:plugin/behavior nor fault nor assertion, so it is no plugin")]
    Nothing,
    #[error("exports the interfaces of several kinds ({0}); a plugin is of one kind")]
    Several(String),
}

/// What the component is, from the names of its imports and exports.
///
/// Versions come first: a component built against another contract fails to link with a text about
/// missing instances, which leads nobody to the cause.
pub(crate) fn of<'a>(
    imports: impl Iterator<Item = &'a str>,
    exports: impl Iterator<Item = &'a str>,
) -> Result<PluginKind, KindError> {
    let exports: Vec<_> = exports.filter_map(contract_name).collect();
    for (_, version) in imports.filter_map(contract_name).chain(exports.iter().copied()) {
        if !speaks(version) {
            return Err(KindError::Version { version: version.to_owned() });
        }
    }
    let kinds: Vec<_> = exports
        .iter()
        .filter_map(|(interface, _)| match *interface {
            "behavior" => Some(PluginKind::Behavior),
            "fault" => Some(PluginKind::Fault),
            "assertion" => Some(PluginKind::Assertion),
            _ => None,
        })
        .collect();
    match kinds.as_slice() {
        [] => Err(KindError::Nothing),
        [kind] => Ok(*kind),
        several => {
            let names: Vec<_> = several.iter().map(ToString::to_string).collect();
            Err(KindError::Several(names.join(", ")))
        }
    }
}

/// `assay:plugin/behavior@0.1.0` is `behavior` of version `0.1.0`.
pub(super) fn contract_name(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(PACKAGE)?.split_once('@')
}

fn speaks(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse().ok());
    (numbers.next().flatten(), numbers.next().flatten()) == (Some(CONTRACT.0), Some(CONTRACT.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(imports: &[&str], exports: &[&str]) -> Result<PluginKind, String> {
        of(imports.iter().copied(), exports.iter().copied()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_exported_interface_says_the_kind() {
        let imports = ["wasi:cli/stderr@0.2.6", "assay:plugin/log@0.1.0"];
        let exports = ["assay:plugin/plugin@0.1.0", "assay:plugin/fault@0.1.3"];
        assert_eq!(kind(&imports, &exports), Ok(PluginKind::Fault));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        insta::assert_snapshot!(
            kind(&["assay:plugin/log@0.2.0"], &["assay:plugin/behavior@0.2.0"]).unwrap_err(),
            @"built against assay:plugin 0.2.0; this host speaks 0.1: build it against the host's own SDK"
        );
        insta::assert_snapshot!(
            kind(&[], &["wasi:cli/run@0.2.0"]).unwrap_err(),
            @"exports neither assay:plugin/behavior nor fault nor assertion, so it is no plugin"
        );
        insta::assert_snapshot!(
            kind(&[], &["assay:plugin/fault@0.1.0", "assay:plugin/assertion@0.1.0"]).unwrap_err(),
            @"exports the interfaces of several kinds (fault, assertion); a plugin is of one kind"
        );
    }
}
