//! `include`: files that stand in the place of the line that names them.

use surefoot_report::Source;

use super::lex::{TokenKind, lex};

/// nft's bound on files that include one another (`MAX_INCLUDE_DEPTH`).
const DEEPEST: usize = 16;
/// No set of rules is made of more files.
const MOST_FILES: usize = 10_000;
/// No set of files is as large as this.
const LARGEST: usize = 1 << 30;

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncludedFile {
    /// Its path.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Reads the files that an `include` means: the words between its quotes, and the name of the file
/// that they stand in. An error says why there are none.
pub trait FindIncluded {
    /// The files, in the order in which nft reads them.
    fn find(&mut self, pattern: &str, within: &str) -> Result<Vec<IncludedFile>, String>;
}

/// What could not be included, in the words of the statement, and why.
pub type RefusedInclude = (String, String);

/// Puts the files that a text includes in the places of the lines that include them. A line whose files
/// cannot be read stays, and comes back with the reason.
pub fn with_included(
    file: &IncludedFile,
    files: &mut dyn FindIncluded,
) -> (Source, Vec<RefusedInclude>) {
    let mut splice = Splice {
        files,
        text: String::new(),
        parts: Vec::new(),
        refused: Vec::new(),
        open: Vec::new(),
        files_read: 0,
    };
    let name = file.name.clone();
    splice.add(file, 0);
    (
        Source::of_parts(name, splice.text, splice.parts),
        splice.refused,
    )
}

struct Splice<'f> {
    files: &'f mut dyn FindIncluded,
    text: String,
    /// The byte at which a part begins, its file, and the number of its first line there.
    parts: Vec<(usize, String, u32)>,
    refused: Vec<RefusedInclude>,
    /// The files that the one under way is included by, and itself.
    open: Vec<String>,
    files_read: usize,
}

impl Splice<'_> {
    fn add(&mut self, file: &IncludedFile, depth: usize) {
        self.begin(file, 0);
        self.open.push(file.name.clone());
        let mut copied = 0;
        for (start, end, pattern) in included(&file.text) {
            let found = if depth + 1 >= DEEPEST {
                Err(format!(
                    "files include one another more than {DEEPEST} deep"
                ))
            } else if self.text.len() > LARGEST {
                Err("the included files are larger than 1 GiB".to_owned())
            } else if self.files_read >= MOST_FILES {
                Err(format!("more than {MOST_FILES} files are included"))
            } else {
                self.files.find(pattern, &file.name)
            };
            let in_circle = |found: &Vec<IncludedFile>| {
                let mut again = found.iter().filter(|one| self.open.contains(&one.name));
                again.next().map(|one| one.name.clone())
            };
            let found = match found.as_ref().ok().and_then(in_circle) {
                Some(name) => Err(format!(
                    "`{name}` includes itself, perhaps by way of others"
                )),
                None => found,
            };
            let found = match found {
                Ok(found) => found,
                Err(why) => {
                    self.refused.push((pattern.to_owned(), why));
                    continue;
                }
            };
            self.text.push_str(&file.text[copied..start]);
            for one in &found {
                self.files_read += 1;
                self.end_line();
                self.add(one, depth + 1);
            }
            self.end_line();
            copied = end;
            self.begin(file, copied);
        }
        self.text.push_str(&file.text[copied..]);
        self.open.pop();
    }

    fn end_line(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    fn begin(&mut self, file: &IncludedFile, byte: usize) {
        let before = file.text[..byte].bytes().filter(|byte| *byte == b'\n');
        let line = u32::try_from(before.count() + 1).unwrap_or(u32::MAX);
        self.parts.push((self.text.len(), file.name.clone(), line));
    }
}

/// The `include` statements of a text: from where to where, and what they name.
fn included(text: &str) -> Vec<(usize, usize, &str)> {
    let tokens = lex(text);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let starts = at
            .checked_sub(1)
            .and_then(|before| tokens.get(before))
            .is_none_or(|before| before.kind == TokenKind::End || before.text == "{");
        let word = token.kind == TokenKind::Word && token.text == "include";
        if let Some(named) = tokens.get(at + 1).filter(|_| starts && word)
            && named.kind == TokenKind::Quoted
        {
            let (start, end) = (token.span.start as usize, named.span.end as usize);
            found.push((start, end, named.text));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    struct Folder(BTreeMap<&'static str, &'static str>);

    impl FindIncluded for Folder {
        fn find(&mut self, pattern: &str, _: &str) -> Result<Vec<IncludedFile>, String> {
            let start = pattern.trim_end_matches('*');
            let whole = start == pattern;
            let fits = |name: &&str| {
                if whole {
                    *name == pattern
                } else {
                    name.starts_with(start)
                }
            };
            let files: Vec<IncludedFile> = self
                .0
                .iter()
                .filter(|(name, _)| fits(name))
                .map(|(name, text)| IncludedFile {
                    name: (*name).to_owned(),
                    text: (*text).to_owned(),
                })
                .collect();
            if files.is_empty() && whole {
                return Err("there is no such file".to_owned());
            }
            Ok(files)
        }
    }

    fn spliced(
        text: &str,
        files: &[(&'static str, &'static str)],
    ) -> (Source, Vec<RefusedInclude>) {
        let file = IncludedFile {
            name: "main".to_owned(),
            text: text.to_owned(),
        };
        with_included(&file, &mut Folder(files.iter().copied().collect()))
    }

    #[test]
    fn each_word_keeps_its_file_and_line() {
        let main = "table ip t {\n chain c {\n  include \"rules\"\n  drop\n }\n}\ninclude \"d/*\"\nadd rule ip t c accept\n";
        let files = [
            ("rules", "tcp dport 22 accept\ntcp dport 23 accept"),
            ("d/1", "define a = 1\n"),
            ("d/2", "include \"rules\"\n"),
        ];
        let (source, refused) = spliced(main, &files);
        assert_eq!(refused, []);
        let place = |words: &str| {
            let at = source.text.find(words).unwrap();
            let at = u32::try_from(at).unwrap();
            (source.name_at(at).to_owned(), source.position(at).line)
        };
        assert_eq!(place("chain c"), ("main".to_owned(), 2));
        assert_eq!(place("tcp dport 23"), ("rules".to_owned(), 2));
        assert_eq!(place("drop"), ("main".to_owned(), 4));
        assert_eq!(place("define a"), ("d/1".to_owned(), 1));
        assert_eq!(place("add rule"), ("main".to_owned(), 8));
    }

    #[test]
    fn what_cannot_be_read_stays_and_is_told() {
        let (source, refused) = spliced("include \"no\"\ninclude \"none/*\"\n", &[]);
        assert_eq!(source.text, "include \"no\"\n\n");
        assert_eq!(refused.len(), 1);
        let (_, refused) = spliced("include \"main\"\n", &[("main", "include \"main\"\n")]);
        assert_eq!(refused.len(), 1, "a circle ends");
        // Each of twelve files includes the next one ten times: far too many in all.
        let ten = |next: char| format!("include \"{next}\"\n").repeat(10);
        let texts: Vec<String> = ('b'..='m').map(ten).collect();
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
        let files: Vec<(&'static str, &'static str)> = names
            .into_iter()
            .zip(texts.into_iter().map(|text| &*text.leak()))
            .collect();
        let (_, refused) = spliced("include \"a\"\n", &files);
        assert!(refused.iter().any(|(_, why)| why.contains("10000 files")));
    }

    #[test]
    fn the_word_elsewhere_is_no_statement() {
        assert_eq!(
            included("comment \"include \\\"x\\\"\"\n# include \"y\"\nset include\n"),
            []
        );
    }
}
