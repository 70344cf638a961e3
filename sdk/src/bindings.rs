//! The guest's side of the contract in `wit/`, generated: authors never see it.
//!
//! Everything that plugins import is generated once, in [`imports`], and the three worlds share
//! it. A plugin's component imports only what it uses, whichever world it is built for.
#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes,
    clippy::undocumented_unsafe_blocks,
    reason = "generated code; the WIT files carry the documentation"
)]

mod generated {
    wit_bindgen::generate!({
        path: "../wit/v0.1",
        inline: "
            package assay:sdk;
            world imports {
                import assay:plugin/types@0.1.0;
                import assay:plugin/log@0.1.0;
                import assay:plugin/clock@0.1.0;
                import assay:plugin/random@0.1.0;
                import assay:plugin/http@0.1.0;
                import assay:plugin/metrics@0.1.0;
                import assay:plugin/feed@0.1.0;
                import assay:plugin/ledger@0.1.0;
                import assay:plugin/cluster@0.1.0;
                import assay:plugin/kube@0.1.0;
                import assay:plugin/sql@0.1.0;
                import assay:plugin/redis@0.1.0;
                import assay:plugin/observations@0.1.0;
            }
        ",
        world: "assay:sdk/imports",
        with: {
            "assay:plugin/types@0.1.0/failure": crate::failure::Failure,
            "assay:plugin/http@0.1.0/error": crate::http::Error,
        },
        additional_derives: [PartialEq],
        generate_unused_types: true,
        generate_all,
    });
}

/// The interfaces that plugins import, one module each.
pub use generated::assay::plugin as imports;

/// The shared types, those among them that the SDK defines itself included.
pub mod types {
    pub use super::imports::types::*;
    pub use crate::failure::Failure;
}

// What every plugin exports has a world of its own here, because the macros that export an
// interface are named after it and must be unique in a crate. A plugin's component is the union.
macro_rules! world {
    ($module:ident, $world:literal, $export:literal, $home:literal, $wit:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../wit/v0.1",
                inline: $wit,
                world: $world,
                with: { "assay:plugin/types@0.1.0": crate::bindings::types },
                additional_derives: [PartialEq],
                export_macro_name: $export,
                default_bindings_module: $home,
                pub_export_macro: true,
            });
        }
    };
}

world!(
    behavior,
    "assay:sdk/behavior",
    "export_behavior",
    "assay_sdk::bindings::behavior",
    "package assay:sdk; world behavior { export assay:plugin/behavior@0.1.0; }"
);

world!(
    fault,
    "assay:sdk/fault",
    "export_fault",
    "assay_sdk::bindings::fault",
    "package assay:sdk; world fault { export assay:plugin/fault@0.1.0; }"
);

world!(
    assertion,
    "assay:sdk/assertion",
    "export_assertion",
    "assay_sdk::bindings::assertion",
    "package assay:sdk; world assertion { export assay:plugin/assertion@0.1.0; }"
);

/// What every kind of plugin exports.
pub mod plugin {
    wit_bindgen::generate!({
        path: "../wit/v0.1",
        inline: "package assay:sdk; world described { export assay:plugin/plugin@0.1.0; }",
        world: "assay:sdk/described",
        export_macro_name: "export_plugin",
        default_bindings_module: "assay_sdk::bindings::plugin",
        pub_export_macro: true,
    });
}
