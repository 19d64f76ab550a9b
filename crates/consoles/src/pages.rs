//! The pages behind the findings about consoles: what each is, why it matters, how to see it and mend it.

use surefoot_report::{Page, Severity};

/// One page a code.
pub(crate) const PAGES: &[Page] = &[
    Page {
        code: "CO001",
        title: "the kernel's console has no login prompt",
        severity: Severity::Warning,
        text: "\
What it is
  The kernel writes to a console (the last `console=` of its command line, or what the
  hypervisor chose) on which no getty is set up.

Why it matters
  When the network is down, the console is the only way in. With no login prompt on it you can
  watch the machine and do nothing. It happens when a guest moves to another hypervisor: the
  console was tty1 and is now hvc0 or ttyS0.

See it yourself
  surefoot consoles
  cat /sys/class/tty/console/active
  cat /proc/cmdline
  ps -eo tty,args | grep getty

Mend it
  surefoot consoles add hvc0

When it is fine
  When the console is only a log and takes no input.
",
    },
    Page {
        code: "CO002",
        title: "a login prompt is set up on a terminal that does not exist",
        severity: Severity::Warning,
        text: "\
What it is
  The init system starts a getty on a terminal that this kernel does not have.

Why it matters
  The getty ends at once and is started again, for ever: System V init logs \"respawning too
  fast\" and stops it for five minutes at a time, busybox init tries again every second and
  fills the log. It also means that the prompt which you expect is not there.

See it yourself
  surefoot consoles
  ls /sys/class/tty
  grep respawn /etc/inittab

Mend it
  surefoot consoles remove tty4

When it is fine
  When one image boots on several hypervisors and keeps a line for each.
",
    },
    Page {
        code: "CO003",
        title: "root is refused on the console by securetty",
        severity: Severity::Warning,
        text: "\
What it is
  The console has a login prompt, and /etc/securetty does not list it, while pam_securetty or
  the login program reads that list. pam_securetty lets root in on the kernel's consoles all the
  same, unless it has the option noconsole.

Why it matters
  On the day when only root's password is left, the last way in says \"Login incorrect\".

See it yourself
  surefoot consoles
  grep -n securetty /etc/pam.d/login
  cat /etc/securetty

Mend it
  surefoot consoles add hvc0        # adds the terminal to the list, too

When it is fine
  When root has no password, and you log in as somebody who may use sudo.
",
    },
    Page {
        code: "CO004",
        title: "the console that the hypervisor shows has no login prompt",
        severity: Severity::Warning,
        text: "\
What it is
  The machine runs where its owner sees one console: hvc0 of a Xen guest, the first serial port
  of a KVM guest or on EC2. No login prompt is set up there.

Why it matters
  `xl console`, `virsh console` or the provider's web page stay silent when you need them.

See it yourself
  surefoot consoles

Mend it
  surefoot consoles add ttyS0

When it is fine
  When you always have another way in, such as a screen over VNC.
",
    },
    Page {
        code: "CO005",
        title: "two login prompts share one terminal",
        severity: Severity::Warning,
        text: "\
What it is
  Two entries start a getty on the same terminal. Often one was copied from the other and the
  terminal in its command was not changed.

Why it matters
  The two take every second letter that you type from each other. The terminal that was meant has
  no prompt.

See it yourself
  surefoot consoles

Mend it
  surefoot consoles set tty1,hvc0   # the terminals that you want, one prompt each

When it is fine
  Never.
",
    },
    Page {
        code: "CO006",
        title: "a file about login prompts is never read",
        severity: Severity::Note,
        text: "\
What it is
  A file in the folder of the init system would start a login prompt, and its name keeps it from
  being read: upstart reads only names that end in .conf.

Why it matters
  Changes to such a file do nothing, and the next reader believes it.

See it yourself
  ls /etc/init

Mend it
  Remove it, or give it the right name: mv /etc/init/hvc0 /etc/init/hvc0.conf

When it is fine
  When it is a copy that is kept on purpose.
",
    },
    Page {
        code: "CO007",
        title: "a console beside the kernel's first has no login prompt",
        severity: Severity::Note,
        text: "\
What it is
  The kernel's command line names several consoles. Each gets the kernel's messages; only the last
  is /dev/console. No getty is set up on one of the others.

Why it matters
  On a serial line beside the screen you see the machine boot, and then nothing: init systems set
  a prompt up for the console alone, or for none.

See it yourself
  surefoot consoles
  cat /sys/class/tty/console/active

Mend it
  surefoot consoles add ttyS0

When it is fine
  When that line is a log and takes no input, or another program has the port.
",
    },
    Page {
        code: "CO008",
        title: "the default runlevel halts or reboots",
        severity: Severity::High,
        text: "\
What it is
  The line `initdefault` of /etc/inittab, or DEFAULT_RUNLEVEL of upstart, names runlevel 0, which
  halts the system, or runlevel 6, which reboots it.

Why it matters
  The machine ends or starts again as soon as it has booted, and no login prompt is started. A remote
  machine is lost with its next boot.

See it yourself
  grep initdefault /etc/inittab

Mend it
  surefoot edit /etc/inittab        # 2 on Debian, 3 on Red Hat: id:3:initdefault:

When it is fine
  Never.
",
    },
];
