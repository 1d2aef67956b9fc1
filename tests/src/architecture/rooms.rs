//! The rooms of a crate, its modules right below the root, and which of them name which others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io;
use std::path::Path;

use super::tokens::{Source, Token};

/// The rooms of one crate. What is compiled for tests only does not count, nor do the programs in `bin`.
#[derive(Debug, Default)]
pub struct Rooms {
    /// For each room the rooms that it names, and a file in which it does.
    names: BTreeMap<String, BTreeMap<String, String>>,
}

impl Rooms {
    /// Reads the sources below a folder, `…/src`.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        collect(folder, "", &mut files)?;
        Ok(Self::of(&files))
    }

    /// Reads sources by their paths below `src`.
    fn of(files: &BTreeMap<String, String>) -> Self {
        let sources: BTreeMap<&str, Source> =
            files.iter().map(|(path, text)| (path.as_str(), Source::read(text))).collect();
        let tests: BTreeSet<Vec<String>> = sources
            .iter()
            .flat_map(|(path, source)| {
                source.test_modules.iter().map(|name| [module(path), vec![name.clone()]].concat())
            })
            .collect();
        let production = |path: &str| (1..=module(path).len()).all(|depth| !tests.contains(&module(path)[..depth]));
        let room = |path: &str| module(path).first().cloned();
        let production: Vec<(&str, &Source)> =
            sources.iter().map(|(path, source)| (*path, source)).filter(|(path, _)| production(path)).collect();
        let all: BTreeSet<String> = production.iter().filter_map(|(path, _)| room(path)).collect();

        // An item that the root exports under a name of its own stands for the room that it comes from.
        let root = production.iter().find(|(path, _)| *path == "lib.rs").map_or(&[][..], |(_, source)| &source.tokens);
        let exported: BTreeMap<String, String> = imports(root)
            .into_iter()
            .filter_map(|(path, name)| {
                let first = path.iter().find(|word| !matches!(word.as_str(), "crate" | "self"))?;
                all.contains(first).then(|| (name, first.clone()))
            })
            .collect();

        let mut rooms = Self { names: all.iter().map(|room| (room.clone(), BTreeMap::new())).collect() };
        for (path, source) in production {
            let Some(own) = room(path) else { continue };
            for name in named_at_root(&source.tokens, module(path).len()) {
                let named = if all.contains(&name) { Some(&name) } else { exported.get(&name) };
                if let Some(named) = named.filter(|named| **named != own) {
                    let of = rooms.names.entry(own.clone()).or_default();
                    of.entry(named.clone()).or_insert_with(|| path.to_owned());
                }
            }
        }
        rooms
    }

    /// Returns a shortest circle of rooms that name each other, with a file for each step; `None` if the rooms have an order.
    #[must_use]
    pub fn circle(&self) -> Option<String> {
        let circles = self.names.keys().filter_map(|room| self.back_to(room));
        let shortest = circles.min_by_key(Vec::len)?;
        let steps = shortest.windows(2).filter_map(|step| {
            let file = self.names.get(step[0])?.get(step[1])?;
            Some(format!("{} → {} ({file})", step[0], step[1]))
        });
        Some(steps.collect::<Vec<_>>().join(", "))
    }

    /// The shortest way from a room over others back to it, which it begins and ends.
    fn back_to<'a>(&'a self, room: &'a str) -> Option<Vec<&'a str>> {
        let mut before: BTreeMap<&str, &str> = BTreeMap::new();
        let mut queue = VecDeque::from([room]);
        while let Some(at) = queue.pop_front() {
            for next in self.names.get(at)?.keys().map(String::as_str) {
                if next == room {
                    let mut path = vec![room];
                    path.extend(std::iter::successors(Some(at), |room| before.get(room).copied()));
                    path.reverse();
                    return Some(path);
                }
                if !before.contains_key(next) {
                    before.insert(next, at);
                    queue.push_back(next);
                }
            }
        }
        None
    }
}

/// Reads the files below a folder, by path; `below` is the path of the folder itself.
fn collect(folder: &Path, below: &str, files: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        if entry.file_type()?.is_dir() {
            if path != "bin" {
                collect(&entry.path(), &path, files)?;
            }
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") && path != "main.rs" {
            files.insert(path, fs::read_to_string(entry.path())?);
        }
    }
    Ok(())
}

/// The module that a file is: `a/b.rs` and `a/b/mod.rs` are `a::b`, `lib.rs` is the root.
fn module(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod" || path == "lib.rs") {
        parts.pop();
    }
    parts
}

/// The names that a module `depth` below the root takes from the root: `crate::name`, and `super::…::name` so far up.
/// Modules within a file are one deeper each.
fn named_at_root(tokens: &[Token], depth: usize) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut inner: Vec<usize> = Vec::new();
    let mut braces: usize = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign('{') => {
                braces += 1;
                if at >= 2 && tokens[at - 2].is("mod") {
                    inner.push(braces);
                }
            }
            Token::Sign('}') => {
                inner.pop_if(|open| *open == braces);
                braces -= 1;
            }
            Token::Word(_) if at > 0 && tokens[at - 1] == Token::Path => {}
            Token::Word(word) if word == "crate" || word == "super" => {
                let mut paths = Vec::new();
                tree(&tokens[at..], &mut Vec::new(), &mut paths);
                let root = |path: &[String]| match path.iter().take_while(|word| *word == "super").count() {
                    0 => 1,
                    ups if ups == depth + inner.len() => ups,
                    _ => usize::MAX,
                };
                names.extend(paths.iter().filter_map(|(path, _)| path.get(root(path)).cloned()));
            }
            _ => {}
        }
    }
    names
}

/// A path and the name by which it is known from then on.
type Import = (Vec<String>, String);

/// Names that `use` brings into a module.
fn imports(tokens: &[Token]) -> Vec<Import> {
    let mut all = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token.is("use") {
            tree(&tokens[at + 1..], &mut Vec::new(), &mut all);
        }
    }
    all
}

/// Reads one path or one tree of paths, `a::{b, c::d as e}`; returns how many tokens it has.
fn tree(tokens: &[Token], before: &mut Vec<String>, all: &mut Vec<Import>) -> usize {
    let own = before.len();
    let mut at = 0;
    loop {
        match tokens.get(at) {
            Some(Token::Word(word)) => before.push(word.clone()),
            Some(Token::Sign('*')) => before.push("*".to_owned()),
            Some(Token::Sign('{')) => {
                at += 1;
                while !matches!(tokens.get(at), None | Some(Token::Sign('}'))) {
                    at += tree(&tokens[at..], before, all).max(1);
                    if tokens.get(at) == Some(&Token::Sign(',')) {
                        at += 1;
                    }
                }
                before.truncate(own);
                return at + 1;
            }
            _ => break,
        }
        at += 1;
        if tokens.get(at) != Some(&Token::Path) {
            break;
        }
        at += 1;
    }
    let renamed = match tokens.get(at..at + 2) {
        Some([word, Token::Word(name)]) if word.is("as") => Some(name.clone()),
        _ => None,
    };
    at += if renamed.is_some() { 2 } else { 0 };
    if let Some(name) = renamed.or_else(|| before.last().cloned()) {
        all.push((before.clone(), name));
    }
    before.truncate(own);
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circle(files: &[(&str, &str)]) -> Option<String> {
        Rooms::of(&files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()).circle()
    }

    #[test]
    fn rooms_in_an_order_have_no_circle() {
        let files = [
            ("lib.rs", "pub mod low; pub mod middle; pub mod high; pub use high::Top; pub use other_crate as low2;"),
            ("low.rs", "use std::fmt; #[cfg(test)] mod tests { use crate::high::Top; }"),
            ("middle/mod.rs", "mod part; #[cfg(test)] mod checks; use super::low::{self, X}; use self::part::Y;"),
            ("middle/part.rs", "use super::super::low::X; use super::own; use crate::middle::Y; // crate::high"),
            ("middle/checks.rs", "use crate::high::Top;"),
            ("middle/checks/deep.rs", "use crate::high::Top;"),
            ("high.rs", "use crate::{low, middle::{part::Y, Z as W}}; fn f() { crate::low::g() }"),
        ];
        assert_eq!(circle(&files), None);
    }

    #[test]
    fn a_circle_is_told_with_a_file_for_each_step() {
        let files = [
            ("lib.rs", "pub use high::Top;"),
            ("low.rs", "fn f() -> &'static str { crate::Top::name() }"),
            ("middle/mod.rs", "pub mod part;"),
            ("middle/part.rs", "mod inner { use super::super::super::low::X; }"),
            ("high.rs", "use crate::{\n    middle::{self, part},\n};"),
        ];
        let steps = "high → middle (high.rs), middle → low (middle/part.rs), low → high (low.rs)";
        assert_eq!(circle(&files).as_deref(), Some(steps));
    }

    #[test]
    fn each_way_to_name_a_room_is_seen() {
        for text in [
            "use crate::b::X;",
            "use crate::{c, b};",
            "use super::b;",
            "use super::{b::X};",
            "pub(crate) use crate::b as d;",
            "fn f(x: crate::b::X) {}",
            "fn f() { super::b::f(); }",
            "fn f() { <crate::b::X>::f(); crate::b::g!(); }",
            "use crate::b::*;",
        ] {
            let files = [("a.rs", text), ("b.rs", "use crate::a;"), ("c.rs", "")];
            assert!(circle(&files).is_some(), "{text}");
        }
        for text in ["use other::crate_b;", "use self::b::X; mod b {}", "use a::b;", "use super::c;", "use ::b::X;"] {
            let files = [("a.rs", text), ("b.rs", "use crate::a;"), ("c.rs", "")];
            assert_eq!(circle(&files), None, "{text}");
        }
    }
}
