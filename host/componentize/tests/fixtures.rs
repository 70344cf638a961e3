//! Compiles the host's test fixtures and the built-in plugins, all the way to components.

use std::path::{Path, PathBuf};

use assay_componentize::{Component, Options, Package, build};
use wit_component::DecodedWasm;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compiles packages, and checks that each is a component that imports and exports what it may.
fn check(packages: &[Package]) {
    // One folder for all tests of the workspace that build guests: the second one finds all built.
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let components = build(&Options::new(root(), target_dir), packages).expect("components");
    assert_eq!(components.len(), packages.len());
    for (Component { name, bytes }, package) in components.iter().zip(packages) {
        assert_eq!(*name, package.name);
        assert!(bytes.starts_with(b"\0asm\x0d\0\x01\0"), "{name} is no component");
        assert!(bytes.len() < 512 << 10, "{name} takes {} bytes", bytes.len());

        let (imports, exports) = interfaces(bytes);
        let has = |all: &[String], name: &str| all.contains(&format!("assay:plugin/{name}@0.1.0"));
        assert!(has(&exports, "plugin"), "{name} exports {exports:?}");
        let foreign = match exports {
            _ if has(&exports, "behavior") => ["cluster", "sql", "redis", "kube", "observations"].as_slice(),
            _ if has(&exports, "fault") => ["ledger", "metrics", "observations"].as_slice(),
            _ if has(&exports, "assertion") => {
                ["clock", "random", "http", "ledger", "metrics", "cluster", "sql", "redis", "kube"].as_slice()
            }
            _ => panic!("{name} exports {exports:?}"),
        };
        for import in foreign {
            assert!(!has(&imports, import), "{name} imports {import}");
        }
    }
}

#[test]
fn fixtures_become_components() {
    let packages = Package::list(&root().join("host/tests/guests"), "guest-").expect("the list");
    let names: Vec<_> = packages.iter().map(|each| each.name.as_str()).collect();
    assert_eq!(names, ["hostile", "plain-assertion", "plain-behavior", "plain-fault"]);
    check(&packages);
}

#[test]
fn built_in_plugins_become_components() {
    let packages = Package::built_ins(&root().join("plugins")).expect("the list");
    assert!(!packages.is_empty());
    check(&packages);
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
