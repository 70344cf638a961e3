//! Compiles the host's test fixtures, all the way to components.

use std::path::Path;

use assay_componentize::{Options, Package, build};
use wit_component::DecodedWasm;

#[test]
fn fixtures_become_components() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let packages = Package::list(&root.join("host/tests/guests"), "guest-").expect("the list");
    let names: Vec<_> = packages.iter().map(|each| each.name.as_str()).collect();
    assert_eq!(names, ["hostile", "plain-assertion", "plain-behavior", "plain-fault"]);

    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let components = build(&Options::new(&root, target_dir), &packages).expect("components");
    for (component, name) in components.iter().zip(names) {
        assert_eq!(component.name, name);
        assert!(component.bytes.starts_with(b"\0asm\x0d\0\x01\0"), "{name} is no component");
        let (imports, exports) = interfaces(&component.bytes);
        let kind = match name.split_once('-') {
            Some((_, kind)) => kind,
            None => "behavior",
        };
        for export in ["plugin", kind] {
            assert!(exports.contains(&format!("assay:plugin/{export}@0.1.0")), "{name} exports {exports:?}");
        }
        let foreign = match kind {
            "behavior" => ["cluster", "sql", "redis", "kube", "observations"].as_slice(),
            "fault" => ["ledger", "metrics", "observations"].as_slice(),
            _ => {
                ["clock", "random", "http", "ledger", "metrics", "cluster", "sql", "redis", "kube"].as_slice()
            }
        };
        for import in foreign {
            assert!(!imports.contains(&format!("assay:plugin/{import}@0.1.0")), "{name} imports {import}");
        }
        assert!(component.bytes.len() < 512 << 10, "{name} takes {} bytes", component.bytes.len());
    }
}

/// The names of what a component imports and exports.
fn interfaces(component: &[u8]) -> (Vec<String>, Vec<String>) {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component).expect("a component")
    else {
        panic!("not a component");
    };
    let world = &resolve.worlds[world];
    let names = |keys: Vec<_>| keys.iter().map(|key| resolve.name_world_key(key)).collect();
    (names(world.imports.keys().cloned().collect()), names(world.exports.keys().cloned().collect()))
}
