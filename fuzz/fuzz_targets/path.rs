//! Whatever a client asks for: a path that is normal, or a refusal.

#![no_main]

use latchkey::policy::RequestPath;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|target: &str| {
    let Ok(path) = RequestPath::normalise(target) else { return };
    assert_eq!(RequestPath::normalise(path.as_str()).as_ref(), Ok(&path));
    assert!(path.as_str().starts_with('/'));
    assert!(!path.as_str().contains("//"));
    assert!(!path.as_str().contains(|c: char| c.is_control() || matches!(c, '\\' | '?' | '#')));
    assert!(!path.as_str().split('/').any(|segment| matches!(segment, "." | "..")));
});
