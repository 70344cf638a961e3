//! Fixture plugins, compiled once for each test binary.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use assay_componentize::{Component, Options, Package, build};

/// Puts a fixture's component into `folder` and answers its file name.
pub(crate) fn install(name: &str, folder: &Path) -> PathBuf {
    let component = all().iter().find(|component| component.name == name);
    let component = component.unwrap_or_else(|| panic!("no fixture is called '{name}'"));
    let path = folder.join(format!("{name}.wasm"));
    std::fs::write(&path, &component.bytes).expect("the component is written");
    path
}

fn all() -> &'static [Component] {
    static ALL: OnceLock<Vec<Component>> = OnceLock::new();
    ALL.get_or_init(|| {
        let project = super::project();
        let folder = project.join("host/tests/guests");
        let packages = Package::list(&folder, "guest-").expect("the fixtures are there");
        let options = Options::new(&project, project.join("target/guests"));
        build(&options, &packages).expect("the fixtures compile")
    })
}
