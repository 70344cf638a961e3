//! From a core module to a component.

use anyhow::{Context, Result, ensure};
use wit_component::ComponentEncoder;

/// The first eight bytes of a core module and of a component: magic number, version, layer.
const CORE_MODULE: [u8; 8] = *b"\0asm\x01\0\0\0";
const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// Wraps a core module into a component and validates it. What is a component already, as the
/// compiler makes for `wasm32-wasip2`, is given back as it is.
///
/// # Errors
///
/// If the bytes are no WebAssembly, or the module does not say what world it is for, or does not
/// fit it.
pub fn encode(module: &[u8]) -> Result<Vec<u8>> {
    if module.starts_with(&COMPONENT) {
        return Ok(module.to_vec());
    }
    ensure!(module.starts_with(&CORE_MODULE), "this is not a WebAssembly module");
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .context("the module does not describe its world: does the crate use `assay_sdk::export!`?")?
        .encode()
        .context("the module does not fit its world")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_webassembly() {
        let error = encode(b"\x7fELF").expect_err("an error");
        assert_eq!(error.to_string(), "this is not a WebAssembly module");
    }

    #[test]
    fn leaves_components_alone() {
        assert_eq!(encode(&COMPONENT).expect("a component"), COMPONENT);
    }
}
