//! Compiles the built-in plugins and writes the list of them that the binary embeds.
//!
//! What is built in is what lies in `plugins/`, so that adding a plugin is adding a folder.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use assay_componentize::{Options, Package, build};

fn main() -> Result<(), Box<dyn Error>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // What plugins are made of, besides their dependencies.
    for path in ["plugins", "sdk", "wit", "Cargo.toml", "Cargo.lock", ".cargo"] {
        // Cargo would rerun this for ever if it were told of something that is not there.
        if workspace.join(path).exists() {
            println!("cargo::rerun-if-changed={}", workspace.join(path).display());
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
    let folder = workspace.join("plugins");
    if !folder.exists() {
        println!("cargo::rerun-if-changed={}", workspace.display());
    }

    let packages = Package::built_ins(&folder)?;
    // A target folder of its own: the one of the cargo that runs this is locked until it ends.
    let components = build(&Options::new(&workspace, target_folder(&out)?.join("plugins")), &packages)?;
    let mut list = String::from("const BUILT_INS: &[BuiltIn] = &[\n");
    for component in components {
        let path = out.join(format!("{}.wasm", component.name));
        fs::write(&path, &component.bytes)?;
        writeln!(list, "    BuiltIn {{ name: {:?}, bytes: include_bytes!({path:?}) }},", component.name)?;
    }
    list.push_str("];\n");
    fs::write(out.join("built_ins.rs"), list)?;
    Ok(())
}

/// The folder that holds `debug/build/NAME/out`.
fn target_folder(out: &Path) -> Result<&Path, String> {
    out.ancestors().nth(4).ok_or_else(|| format!("{} does not lie in a target folder", out.display()))
}
