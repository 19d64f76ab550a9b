//! `fstab` by names that change.

use surefoot_host::{Host, Mount};
use surefoot_report::{
    Area, Certainty, Evidence, Finding, Page, Place, Remedy, Severity, is_plain, quoted,
};

use crate::count;

/// The area of these findings.
pub(crate) static AREA: Area = Area {
    word: "storage",
    pages: PAGES,
    advice: None,
};

const PAGES: &[Page] = &[
    Page {
        code: "ST001",
        title: "fstab names disks by names that can change",
        severity: Severity::Warning,
        text: "\
What it is
  A line of /etc/fstab says /dev/sda1 or the like. The kernel gives these names in the order in
  which it finds the disks, and by the driver: the same disk is sda, vda, xvda or nvme0n1
  under another hypervisor, and sdb after a disk was added.

Why it matters
  After such a change the machine does not boot, or mounts the wrong disk.

See it yourself
  findmnt --verify
  blkid

Mend it
  Replace the name by the file system's UUID (or LABEL); keep a copy, and check:
    cp -a /etc/fstab /etc/fstab.before
    findmnt --verify

When it is fine
  Names that do not change: UUID=, LABEL=, PARTUUID=, /dev/mapper/..., /dev/disk/by-...
",
    },
    Page {
        code: "ST002",
        title: "fstab asks for a disk that is not there",
        severity: Severity::High,
        text: "\
What it is
  A line of /etc/fstab that must be mounted at boot names a disk or a UUID that this machine
  does not have now.

Why it matters
  The next boot waits for it (90 seconds with systemd) and then stops with a prompt for the
  root password on the console. The fault stays unnoticed until then.

See it yourself
  findmnt --verify
  blkid

Mend it
  Correct the line, or let the boot go on without it: add the option `nofail`.

When it is fine
  When the disk is plugged in before every boot.
",
    },
];

/// Prefixes of names that the kernel gives in the order of finding.
const UNSTABLE: &[&str] = &["sd", "hd", "vd", "xvd", "nvme", "mmcblk", "ubd", "dasd"];

/// Looks at every line that is mounted at boot.
pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let Some(mounts) = &host.fstab else {
        return Vec::new();
    };
    let needed: Vec<&Mount> = mounts
        .iter()
        .filter(|mount| !has(mount, "noauto"))
        .collect();
    let mut found: Vec<Finding> = unstable(host, &needed).into_iter().collect();
    found.extend(absent(host, &needed));
    found
}

fn has(mount: &Mount, option: &str) -> bool {
    mount.options.iter().any(|given| given == option)
}

/// The kernel's name for a disk, if the line uses it.
fn kernel_name(mount: &Mount) -> Option<&str> {
    let name = mount.device.strip_prefix("/dev/")?;
    let disk = UNSTABLE.iter().any(|prefix| {
        let rest = name.strip_prefix(prefix);
        rest.is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    });
    disk.then_some(name)
}

fn evidence(mount: &Mount) -> Evidence {
    Evidence {
        place: Place::Line {
            source: "/etc/fstab".to_owned(),
            line: mount.line,
            column: None,
        },
        what: format!(
            "{} {} {} {}",
            mount.device,
            mount.target,
            mount.kind,
            mount.options.join(",")
        ),
        packets: None,
    }
}

fn unstable(host: &Host, mounts: &[&Mount]) -> Option<Finding> {
    let named: Vec<&Mount> = mounts
        .iter()
        .copied()
        .filter(|mount| kernel_name(mount).is_some())
        .collect();
    if named.is_empty() {
        return None;
    }
    let mut found = AREA.finding(
            "ST001",
Certainty::Certainly,
        format!(
            "{} of fstab name disks by the order in which the kernel finds them",
            count(named.len(), "line")
        ),
        "Under another hypervisor, or with one disk more, the machine does not boot or mounts the wrong disk.",
    );
    let mut commands = vec!["cp -a /etc/fstab /etc/fstab.before".to_owned()];
    for mount in &named {
        commands.push(by_uuid(host, mount));
    }
    commands.push("findmnt --verify".to_owned());
    found.evidence = named.into_iter().map(evidence).collect();
    found.remedies = vec![Remedy {
        what: "Name file systems by their UUID".to_owned(),
        commands,
    }];
    Some(found)
}

/// The command that replaces a name by the UUID, known now or asked for. Of a disk that is not
/// there only a person knows which one it became.
fn by_uuid(host: &Host, mount: &Mount) -> String {
    let disks = host.disks.as_deref();
    let disk = disks.and_then(|disks| {
        disks
            .iter()
            .find(|disk| Some(disk.name.as_str()) == kernel_name(mount))
    });
    let (line, device) = (mount.line, mount.device.as_str());
    let by_hand = format!(
        "# line {line}: write UUID= with what `blkid` shows for the file system that was {}",
        quoted(&device.escape_debug().to_string())
    );
    let replace = |uuid: &str| format!("sed -i \"{line}s|^\\s*{device}|UUID={uuid}|\" /etc/fstab");
    let known = disk.and_then(|disk| disk.uuid.as_deref());
    match (disks, known) {
        _ if !is_plain(device) => by_hand,
        (Some(_), None) if disk.is_none() => by_hand,
        (_, Some(uuid)) if is_plain(uuid) => replace(uuid),
        (_, Some(_)) => by_hand,
        // Without an answer nothing is replaced.
        _ => format!(
            "uuid=$(blkid -s UUID -o value {device}) && [ -n \"$uuid\" ] && {}",
            replace("$uuid")
        ),
    }
}

/// The path in `/dev` that udev or device-mapper gives to what a line names.
fn link(device: &str) -> Option<String> {
    let tags = [
        ("LABEL=", "by-label"),
        ("PARTUUID=", "by-partuuid"),
        ("PARTLABEL=", "by-partlabel"),
    ];
    for (tag, folder) in tags {
        if let Some(value) = device.strip_prefix(tag) {
            return Some(format!(
                "/dev/disk/{folder}/{}",
                encoded(value.trim_matches('"'))
            ));
        }
    }
    let is_link = device.starts_with("/dev/mapper/") || device.starts_with("/dev/disk/by-");
    is_link.then(|| device.to_owned())
}

/// A label as udev writes it into a file name: what is neither harmless nor UTF-8 beyond ASCII is
/// `\\x` and two digits.
fn encoded(label: &str) -> String {
    use std::fmt::Write as _;
    let mut name = String::new();
    for letter in label.chars() {
        if letter.is_ascii_alphanumeric() || !letter.is_ascii() || "#+-.:=@_".contains(letter) {
            name.push(letter);
        } else {
            let _ = write!(name, "\\x{:02x}", u32::from(letter));
        }
    }
    name
}

fn absent(host: &Host, mounts: &[&Mount]) -> Vec<Finding> {
    let Some(disks) = &host.disks else {
        return Vec::new();
    };
    let knows_uuids = disks.iter().any(|disk| disk.uuid.is_some());
    let is_absent = |mount: &&&Mount| {
        if has(mount, "nofail") || has(mount, "_netdev") || mount.kind == "swap" {
            return false;
        }
        if let Some(name) = kernel_name(mount) {
            return disks.iter().all(|disk| disk.name != name);
        }
        let device = mount.device.as_str();
        if let Some(uuid) = device.strip_prefix("UUID=").map(|it| it.trim_matches('"')) {
            return knows_uuids
                && disks.iter().all(|disk| {
                    disk.uuid
                        .as_deref()
                        .is_none_or(|known| !known.eq_ignore_ascii_case(uuid))
                });
        }
        link(device).is_some_and(|link| {
            let links = || {
                disks
                    .iter()
                    .filter_map(|disk| disk.links.as_ref())
                    .flatten()
            };
            // Without udev the links of /dev/disk are not made.
            let kept = disks.iter().all(|disk| disk.links.is_some())
                && (link.starts_with("/dev/mapper/")
                    || links().any(|known| known.starts_with("/dev/disk/")));
            kept && links().all(|known| !known.eq_ignore_ascii_case(&link))
        })
    };
    mounts
        .iter()
        .filter(is_absent)
        .map(|mount| {
            // A container has its host's fstab or none of the disks; udev may be late.
            let mut found = AREA.finding(
                "ST002",
                Certainty::Possibly,
                format!("fstab asks for {}, which is not there", mount.device),
                "The next boot may stop and wait for input on the console.",
            );
            found.evidence = vec![evidence(mount)];
            found.remedies = vec![Remedy {
                what: "See what is there, correct the line, check it".to_owned(),
                commands: vec!["blkid".to_owned(), "findmnt --verify".to_owned()],
            }];
            found
        })
        .collect()
}
