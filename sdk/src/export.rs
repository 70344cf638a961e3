//! The macro that makes a type a plugin.

/// Makes a type a plugin: `export!(behavior MyUser)`, `export!(fault MyFault)` or
/// `export!(assertion MyAssertion)`, once in a crate whose `[lib]` has `crate-type = ["cdylib"]`.
///
/// Name, version and summary come from the crate's Cargo.toml; a leading `plugin-` is no part of the
/// name. On a native target, where plugins are unit-tested, this only checks that the type fits.
#[macro_export]
macro_rules! export {
    (behavior $type:ty) => {
        $crate::__export!(behavior, export_behavior, $crate::Behavior, $type);
    };
    (fault $type:ty) => {
        $crate::__export!(fault, export_fault, $crate::Fault, $type);
    };
    (assertion $type:ty) => {
        $crate::__export!(assertion, export_assertion, $crate::Assertion, $type);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($world:ident, $export:ident, $kind:path, $type:ty) => {
        const _: () = {
            struct Manifest;
            impl $crate::glue::Manifest for Manifest {
                const PACKAGE: &'static str = env!("CARGO_PKG_NAME");
                const VERSION: &'static str = env!("CARGO_PKG_VERSION");
                const SUMMARY: &'static str = env!("CARGO_PKG_DESCRIPTION");
            }

            #[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only checked here"))]
            type Exported = $crate::glue::Exports<$type, Manifest>;

            struct Described;
            impl $crate::bindings::plugin::exports::assay::plugin::plugin::Guest for Described {
                fn describe() -> $crate::bindings::plugin::exports::assay::plugin::plugin::About {
                    $crate::glue::about::<<$type as $kind>::Config, Manifest>(<$type as $kind>::WISHES)
                }
            }

            #[cfg(target_arch = "wasm32")]
    $crate::bindings::$world::$export!(Exported with_types_in $crate::bindings::$world);
            #[cfg(target_arch = "wasm32")]
    $crate::bindings::plugin::export_plugin!(Described with_types_in $crate::bindings::plugin);
        };
    };
}
