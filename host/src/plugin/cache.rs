//! Compiled components on disk, so that large ones are compiled once and not at every start.
//!
//! Wasmtime has a cache of its own, but it trusts whatever lies in its folder, and loading compiled
//! code is running it. Here a file counts only if it and its folder belong to this user and nobody
//! else can write or read them, and if its content still has the digest that it was written with.
//! Anything else is compiled again and replaced. A cache that cannot be written is no error.

use std::{
    env,
    hash::{DefaultHasher, Hash, Hasher},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use fs_err as fs;
use sha2::{Digest, Sha256};
use wasmtime::{Engine, component::Component};

/// Files that nobody loaded for this long are removed when another is written.
const KEEP: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const DIGEST: usize = 32;

/// `${XDG_CACHE_HOME:-~/.cache}/assay/components`, if the user has either.
pub fn default_folder() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    Some(caches.join("assay/components"))
}

/// A folder of compiled components.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    folder: PathBuf,
    /// Differs where code that one engine compiled would not run in the other.
    compatibility: u64,
}

impl Cache {
    pub(crate) fn new(folder: PathBuf, engine: &Engine) -> Self {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Self { folder, compatibility: hasher.finish() }
    }

    /// The component, from here if it is, else compiled and kept. `digest` is that of `bytes`.
    pub(crate) fn component(
        &self,
        engine: &Engine,
        bytes: &[u8],
        digest: &str,
    ) -> wasmtime::Result<Component> {
        let path = self.path(digest);
        if let Some(component) = self.load(engine, &path) {
            return Ok(component);
        }
        let compiled = engine.precompile_component(bytes)?;
        if let Err(error) = self.store(&path, &compiled) {
            tracing::debug!(%error, "a compiled component could not be kept");
        }
        deserialize(engine, &compiled)
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}-{:016x}.cwasm", self.compatibility))
    }

    fn load(&self, engine: &Engine, path: &Path) -> Option<Component> {
        if !is_private(&fs::symlink_metadata(&self.folder).ok()?, 0o700) {
            return None;
        }
        let mut file = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)
            .ok()?;
        // What is asked is the open file, not its name, so that it cannot be swapped in between.
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || !is_private(&metadata, 0o600) {
            return None;
        }
        let mut content = Vec::new();
        file.read_to_end(&mut content).ok()?;
        let (compiled, digest) = content.split_at_checked(content.len().checked_sub(DIGEST)?)?;
        if Sha256::digest(compiled).as_slice() != digest {
            return None;
        }
        let component = deserialize(engine, compiled).ok()?;
        // Only says that it is still of use; that it cannot be said does not matter.
        let _ = file.set_modified(SystemTime::now());
        Some(component)
    }

    /// Writes beside and renames, so that no reader sees half a file.
    fn store(&self, path: &Path, compiled: &[u8]) -> std::io::Result<()> {
        if let Some(parent) = self.folder.parent() {
            fs::create_dir_all(parent)?;
        }
        match std::fs::DirBuilder::new().mode(0o700).create(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if !is_private(&fs::symlink_metadata(&self.folder)?, 0o700) {
            let message = "the cache's folder is open to others";
            return Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, message));
        }
        self.prune();
        let unfinished = path.with_extension(format!("{:016x}", rand::random::<u64>()));
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        let written = file
            .write_all(compiled)
            .and_then(|()| file.write_all(&Sha256::digest(compiled)))
            .and_then(|()| fs::rename(&unfinished, path));
        if written.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    fn prune(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            if modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > KEEP)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Does it belong to this user alone, with no right beyond those?
fn is_private(metadata: &std::fs::Metadata, rights: u32) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o777 & !rights == 0
}

fn deserialize(engine: &Engine, compiled: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes were made by `precompile_component` of this program, either just now or
    // earlier: `load` passes on only what lies in a file and folder that nobody but this user can
    // write, unchanged since. Code of another wasmtime or configuration is refused by the call.
    unsafe { Component::deserialize(engine, compiled) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// The smallest component.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn cache(folder: &Path) -> (Engine, Cache) {
        let engine = Engine::default();
        let cache = Cache::new(folder.join("components"), &engine);
        (engine, cache)
    }

    fn is_kept(cache: &Cache, engine: &Engine) -> bool {
        cache.load(engine, &cache.path("digest")).is_some()
    }

    #[test]
    fn what_was_compiled_is_found_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let (engine, cache) = cache(folder.path());
        assert!(!is_kept(&cache, &engine));
        cache.component(&engine, EMPTY, "digest").expect("compiles");
        assert!(is_kept(&cache, &engine));
    }

    #[test]
    fn what_was_damaged_is_compiled_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let (engine, cache) = cache(folder.path());
        cache.component(&engine, EMPTY, "digest").expect("compiles");
        let path = cache.path("digest");
        for damage in [&b""[..], b"short", &[0; 4096]] {
            fs::write(&path, damage).expect("writes");
            assert!(!is_kept(&cache, &engine));
        }
        cache.component(&engine, EMPTY, "digest").expect("compiles");
        assert!(is_kept(&cache, &engine));
    }

    #[test]
    fn what_others_could_have_written_is_not_trusted() {
        let folder = tempfile::tempdir().expect("a folder");
        let (engine, cache) = cache(folder.path());
        cache.component(&engine, EMPTY, "digest").expect("compiles");
        let allow = |path: &Path, mode| {
            fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("sets");
        };
        allow(&cache.path("digest"), 0o660);
        assert!(!is_kept(&cache, &engine));
        allow(&cache.path("digest"), 0o600);
        assert!(is_kept(&cache, &engine));
        allow(&cache.folder, 0o770);
        assert!(!is_kept(&cache, &engine));
        cache.component(&engine, EMPTY, "digest").expect("compiles without keeping");
        allow(&cache.folder, 0o700);

        let elsewhere = folder.path().join("elsewhere");
        fs::rename(cache.path("digest"), &elsewhere).expect("moves");
        std::os::unix::fs::symlink(&elsewhere, cache.path("digest")).expect("links");
        assert!(!is_kept(&cache, &engine));
    }

    #[test]
    fn an_unwritable_cache_is_no_error() {
        let engine = Engine::default();
        let cache = Cache::new(PathBuf::from("/proc/no/such"), &engine);
        cache.component(&engine, EMPTY, "digest").expect("compiles");
    }
}
