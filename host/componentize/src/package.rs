//! Plugin crates, as folders on disk.

use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err as fs;

/// A crate that compiles to a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// What the plugin is called: its folder's name.
    pub name: String,
    /// What cargo calls its package: the folder's name behind a prefix.
    pub package: String,
    /// Where it lies.
    pub directory: PathBuf,
}

impl Package {
    /// The plugins of a folder, by name: every sub-folder with a `Cargo.toml`. Package names are
    /// the folders' names behind `prefix`, so that a plugin's name cannot be taken by a library.
    ///
    /// A folder that does not exist holds no plugins.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub fn list(folder: &Path, prefix: &str) -> Result<Vec<Package>> {
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let mut packages = Vec::new();
        for entry in fs::read_dir(folder)? {
            let directory = entry?.path();
            if directory.join("Cargo.toml").is_file()
                && let Some(package) = Package::in_folder(&directory, prefix)
            {
                packages.push(package);
            }
        }
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(packages)
    }

    /// The built-in plugins: [`Package::list`] with the prefix `plugin-`.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub fn built_ins(folder: &Path) -> Result<Vec<Package>> {
        Package::list(folder, "plugin-")
    }

    /// The package in one folder; absent if the path has no name or none in UTF-8.
    pub fn in_folder(directory: &Path, prefix: &str) -> Option<Package> {
        let name = directory.file_name()?.to_str()?.to_owned();
        Some(Package { package: format!("{prefix}{name}"), name, directory: directory.to_owned() })
    }

    /// The file name that cargo gives the core module.
    pub(crate) fn module_file(&self) -> String {
        format!("{}.wasm", self.package.replace('-', "_"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_folders_with_a_manifest_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["sla", "recovery", "notes"] {
            fs::create_dir(folder.path().join(name)).expect("a sub-folder");
        }
        for name in ["sla", "recovery"] {
            fs::write(folder.path().join(name).join("Cargo.toml"), "").expect("a manifest");
        }
        let packages = Package::built_ins(folder.path()).expect("a list");
        let names: Vec<_> = packages.iter().map(|each| each.package.as_str()).collect();
        assert_eq!(names, ["plugin-recovery", "plugin-sla"]);
        assert_eq!(packages[0].name, "recovery");
        assert_eq!(packages[1].module_file(), "plugin_sla.wasm");
    }

    #[test]
    fn a_missing_folder_holds_no_plugins() {
        assert_eq!(Package::built_ins(Path::new("/does/not/exist")).expect("a list"), []);
    }
}
