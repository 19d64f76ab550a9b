//! The kernel command line of a system that does not run, as its boot loader's settings have it.

use crate::kernel_console::command_words;
use crate::setup_tree::{SetupPlace, SetupTree, numbered};

/// A kernel command line of a boot loader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BootLine {
    pub(crate) place: SetupPlace,
    pub(crate) text: String,
    /// Why another line may be used.
    pub(crate) doubt: Option<String>,
}

/// An entry of a boot menu.
struct MenuEntry {
    title: String,
    line: Option<(u32, String)>,
}

/// Finds the line that the next boot uses.
pub(crate) fn boot_line(tree: &SetupTree<'_>) -> Option<BootLine> {
    for path in ["/boot/cmdline.txt", "/boot/firmware/cmdline.txt"] {
        if let Some((number, line)) = tree
            .text(path)
            .and_then(|text| numbered(text).find(|(_, line)| !line.trim().is_empty()))
        {
            return Some(BootLine {
                place: SetupPlace::line(path, number),
                text: line.trim().to_owned(),
                doubt: None,
            });
        }
    }
    let menus: &[(&str, MenuReader)] = &[
        ("/boot/grub/grub.cfg", grub),
        ("/boot/grub2/grub.cfg", grub),
        ("/boot/grub/grub.conf", grub_legacy),
        ("/boot/grub/menu.lst", grub_legacy),
        ("/boot/extlinux/extlinux.conf", syslinux),
        ("/boot/extlinux.conf", syslinux),
        ("/boot/syslinux/syslinux.cfg", syslinux),
        ("/etc/lilo.conf", lilo),
    ];
    for (path, read) in menus {
        let Some(text) = tree.text(path) else {
            continue;
        };
        let (entries, default) = read(text);
        if let Some(line) = choose(path, entries, default.as_deref()) {
            return Some(line);
        }
    }
    entries_of_the_specification(tree)
        .or_else(|| whole_line(tree, "/etc/kernel/cmdline"))
        .or_else(|| default_grub(tree))
}

/// Reads the entries of a menu, and which one is the default.
type MenuReader = fn(&str) -> (Vec<MenuEntry>, Option<String>);

fn choose(path: &str, entries: Vec<MenuEntry>, default: Option<&str>) -> Option<BootLine> {
    let with_lines: Vec<(String, u32, String)> = entries
        .into_iter()
        .filter_map(|entry| {
            let (number, text) = entry.line?;
            Some((entry.title, number, text))
        })
        .collect();
    let first = with_lines.first()?;
    let default = default.unwrap_or("0");
    let named = default.parse::<usize>().map_or_else(
        |_| with_lines.iter().find(|(title, ..)| title == default),
        |at| with_lines.get(at),
    );
    let consoles = |text: &str| -> Vec<String> {
        let words = command_words(text).into_iter();
        words.filter(|word| word.starts_with("console=")).collect()
    };
    let (_, number, text) = named.unwrap_or(first);
    let differ = with_lines
        .iter()
        .any(|(_, _, other)| consoles(other) != consoles(text));
    let doubt = (named.is_none() && differ)
        .then(|| format!("which entry of {path} is started is unknown (`{default}`)"));
    Some(BootLine {
        place: SetupPlace::line(path, *number),
        text: text.clone(),
        doubt,
    })
}

/// GRUB 2: `menuentry 'title' {` and `linux /vmlinuz words`.
fn grub(text: &str) -> (Vec<MenuEntry>, Option<String>) {
    let mut entries: Vec<MenuEntry> = Vec::new();
    let mut default = None;
    for (number, line) in numbered(text) {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match word {
            "menuentry" => entries.push(MenuEntry {
                title: quoted(rest),
                line: None,
            }),
            "set" => {
                if let Some(value) = rest.trim().strip_prefix("default=") {
                    default = Some(value.trim_matches(['"', '\'']).to_owned());
                }
            }
            "linux" | "linux16" | "linuxefi" | "kernel" | "module" | "module2" => {
                if let Some(entry) = entries.last_mut().filter(|entry| entry.line.is_none()) {
                    entry.line = Some((number, rest.to_owned()));
                }
            }
            _ => {}
        }
    }
    // `${next_entry}` and `${saved_entry}` stand in a block of their own, `saved` in ours.
    (entries, default.filter(|value| !value.contains('$')))
}

fn quoted(text: &str) -> String {
    let quote = text.chars().next().filter(|it| ['"', '\''].contains(it));
    let found = match quote {
        Some(quote) => text.split(quote).nth(1),
        None => text.split_whitespace().next(),
    };
    found.unwrap_or_default().to_owned()
}

/// GRUB legacy: `default 0`, `title`, `kernel /vmlinuz words`; under Xen the kernel is a `module`.
fn grub_legacy(text: &str) -> (Vec<MenuEntry>, Option<String>) {
    let mut entries: Vec<MenuEntry> = Vec::new();
    let mut default = None;
    for (number, line) in numbered(text) {
        let line = line.trim();
        let end = line.find(|it: char| it.is_whitespace() || it == '=');
        let (word, rest) = line.split_at(end.unwrap_or(line.len()));
        let rest = rest.trim_start_matches(['=', ' ', '\t']);
        match word {
            "default" => default = Some(rest.trim().to_owned()),
            "title" => entries.push(MenuEntry {
                title: rest.to_owned(),
                line: None,
            }),
            "kernel" | "module" => {
                if let Some(entry) = entries.last_mut() {
                    let is_xen = |text: &str| {
                        let program = text.split_whitespace().next().unwrap_or_default();
                        program
                            .rsplit('/')
                            .next()
                            .unwrap_or_default()
                            .starts_with("xen")
                    };
                    let replaces = entry.line.as_ref().is_none_or(|(_, text)| is_xen(text));
                    if replaces {
                        entry.line = Some((number, rest.to_owned()));
                    }
                }
            }
            _ => {}
        }
    }
    (entries, default)
}

/// syslinux and extlinux: `LABEL`, `APPEND`.
fn syslinux(text: &str) -> (Vec<MenuEntry>, Option<String>) {
    let mut entries: Vec<MenuEntry> = Vec::new();
    let mut default = None;
    for (number, line) in numbered(text) {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        match word.to_ascii_lowercase().as_str() {
            "default" => default = Some(rest.to_owned()),
            "label" => entries.push(MenuEntry {
                title: rest.to_owned(),
                line: None,
            }),
            "append" => {
                if let Some(entry) = entries.last_mut() {
                    entry.line = Some((number, rest.to_owned()));
                }
            }
            _ => {}
        }
    }
    (entries, default)
}

/// LILO: `append="words"`, for all images or one.
fn lilo(text: &str) -> (Vec<MenuEntry>, Option<String>) {
    let found = numbered(text).find_map(|(number, line)| {
        let (word, value) = line.trim().split_once('=')?;
        (word.trim() == "append").then(|| (number, value.trim().trim_matches('"').to_owned()))
    });
    let entries = found.map(|line| MenuEntry {
        title: String::new(),
        line: Some(line),
    });
    (entries.into_iter().collect(), None)
}

/// `/boot/loader/entries/*.conf`: `options words`; the last name is the newest kernel.
fn entries_of_the_specification(tree: &SetupTree<'_>) -> Option<BootLine> {
    let folder = "/boot/loader/entries";
    let names = tree.names(folder);
    let name = names
        .iter()
        .rev()
        .find(|name| !name.contains("rescue"))
        .or(names.last())?;
    let path = format!("{folder}/{name}");
    let (number, line) =
        numbered(tree.text(&path)?).find(|(_, line)| line.starts_with("options"))?;
    let doubt = line
        .contains('$')
        .then(|| "words of the line are kept in grubenv, which is not read".to_owned());
    Some(BootLine {
        place: SetupPlace::line(path, number),
        text: line.trim_start_matches("options").trim().to_owned(),
        doubt,
    })
}

fn whole_line(tree: &SetupTree<'_>, path: &str) -> Option<BootLine> {
    let (number, line) = numbered(tree.text(path)?).find(|(_, line)| !line.trim().is_empty())?;
    Some(BootLine {
        place: SetupPlace::line(path, number),
        text: line.trim().to_owned(),
        doubt: None,
    })
}

/// What the next `grub-mkconfig` will write.
fn default_grub(tree: &SetupTree<'_>) -> Option<BootLine> {
    let path = "/etc/default/grub";
    let text = tree.text(path)?;
    let value = |key: &str| {
        let found = numbered(text)
            .filter_map(|(number, line)| Some((number, line.trim().strip_prefix(key)?)))
            .last();
        found.map(|(number, value)| (number, value.trim().trim_matches(['"', '\''])))
    };
    let all = value("GRUB_CMDLINE_LINUX=");
    let usual = value("GRUB_CMDLINE_LINUX_DEFAULT=");
    let number = all.or(usual)?.0;
    let words: Vec<&str> = [all, usual]
        .into_iter()
        .flatten()
        .map(|(_, value)| value)
        .filter(|value| !value.is_empty())
        .collect();
    Some(BootLine {
        place: SetupPlace::line(path, number),
        text: words.join(" "),
        doubt: None,
    })
}

#[cfg(test)]
mod tests {
    use surefoot_host::{SetupContent, SetupFile};

    use super::*;

    fn line_of(path: &str, text: &str) -> Option<(String, String)> {
        let files = [SetupFile {
            path: path.to_owned(),
            content: SetupContent::Text(text.to_owned()),
        }];
        let found = boot_line(&SetupTree::new(&files))?;
        Some((found.place.to_string(), found.text))
    }

    #[test]
    fn every_boot_loader_says_which_words_it_gives() {
        for (path, text, place, words) in [
            (
                "/boot/grub/grub.cfg",
                "set default=\"1\"\nmenuentry 'a' {\n linux /v console=tty0\n}\nmenuentry 'b' {\n linux /v console=ttyS0\n}\n",
                "/boot/grub/grub.cfg:6",
                "/v console=ttyS0",
            ),
            (
                "/boot/grub/grub.conf",
                "default=0\ntitle x\n\tkernel /xen.gz com1\n\tmodule /vmlinuz console=hvc0\n\tmodule /initrd\n",
                "/boot/grub/grub.conf:4",
                "/vmlinuz console=hvc0",
            ),
            (
                "/boot/extlinux.conf",
                "DEFAULT b\nLABEL a\n APPEND console=tty0\nLABEL b\n  APPEND console=ttyS0\n",
                "/boot/extlinux.conf:5",
                "console=ttyS0",
            ),
            (
                "/boot/loader/entries/x.conf",
                "title x\noptions root=/dev/vda1 console=ttyS0\n",
                "/boot/loader/entries/x.conf:2",
                "root=/dev/vda1 console=ttyS0",
            ),
            (
                "/etc/default/grub",
                "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX='console=hvc0'\n",
                "/etc/default/grub:2",
                "console=hvc0 quiet",
            ),
        ] {
            let found = line_of(path, text);
            assert_eq!(found, Some((place.to_owned(), words.to_owned())), "{path}");
        }
    }
}
