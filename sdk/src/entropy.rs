//! Randomness for crates that ask the operating system for it, which a guest does not have.

use getrandom::Error;

use crate::host;

/// Called by `getrandom` 0.3 and 0.4 where it was told to use a custom backend.
///
/// # Safety
///
/// `dest` must be valid for writes of `len` bytes.
// SAFETY: the name is the one that getrandom reserves for this function, and only the SDK defines it.
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(dest: *mut u8, len: usize) -> Result<(), Error> {
    let mut filled = 0;
    while filled < len {
        let wanted = (len - filled).min(65_536);
        let bytes = host::random::bytes(wanted as u32);
        if bytes.is_empty() {
            return Err(Error::UNEXPECTED);
        }
        let count = bytes.len().min(wanted);
        // SAFETY: `filled + count` is at most `len`, and the caller vouches for `len` bytes.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), dest.add(filled), count) };
        filled += count;
    }
    Ok(())
}
