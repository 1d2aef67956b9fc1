//! Folder in which tests keep what takes long to make: built programs, and environments of other languages.

use std::path::PathBuf;

/// Returns the folder, outside the clone, so that a fresh clone does not make everything again: `$WANQU_TESTBED_CACHE`, else
/// `wanqu-testbed` in `$XDG_CACHE_HOME`, else `~/.cache/wanqu-testbed`. `None` if none of the variables is set.
#[must_use]
pub fn cache_folder() -> Option<PathBuf> {
    folder_of(|name| std::env::var_os(name).map(PathBuf::from))
}

fn folder_of(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let set = |name| variable(name).filter(|path| path.is_absolute());
    let general = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    set("WANQU_TESTBED_CACHE").or_else(|| Some(general()?.join("wanqu-testbed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_the_one_that_was_asked_for() {
        let with = |pairs: &[(&str, &str)]| {
            let pairs = pairs.to_vec();
            folder_of(move |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| PathBuf::from(v)))
        };
        let (own, general, home) = (("WANQU_TESTBED_CACHE", "/own"), ("XDG_CACHE_HOME", "/xdg"), ("HOME", "/home/me"));
        assert_eq!(with(&[own, general, home]), Some("/own".into()));
        assert_eq!(with(&[general, home]), Some("/xdg/wanqu-testbed".into()));
        assert_eq!(with(&[("XDG_CACHE_HOME", "relative"), home]), Some("/home/me/.cache/wanqu-testbed".into()));
        assert_eq!(with(&[]), None);
    }
}
