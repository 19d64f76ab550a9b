//! Prints a rule set of the shape that kube-proxy writes for a large cluster: `SERVICES ENDPOINTS`,
//! without words 20,000 services of 8 endpoints each, which is 700,000 lines.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "an example reads its words and prints"
)]

use std::io::{BufWriter, Write};
use std::net::Ipv4Addr;

fn main() -> std::io::Result<()> {
    let words: Vec<u32> = std::env::args()
        .skip(1)
        .filter_map(|word| word.parse().ok())
        .collect();
    let (services, endpoints) = match words.as_slice() {
        [] => (20_000, 8),
        [services, endpoints] if *endpoints > 0 => (*services, *endpoints),
        _ => {
            eprintln!("usage: kube_proxy [SERVICES ENDPOINTS]");
            return Ok(());
        }
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    filter(&mut out)?;
    nat(&mut out, services, endpoints)?;
    out.flush()
}

fn filter(out: &mut impl Write) -> std::io::Result<()> {
    writeln!(
        out,
        "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n\
         :KUBE-FIREWALL - [0:0]\n:KUBE-FORWARD - [0:0]\n\
         -A INPUT -j KUBE-FIREWALL\n\
         -A FORWARD -m comment --comment \"forward what services need\" -j KUBE-FORWARD\n\
         -A OUTPUT -j KUBE-FIREWALL\n\
         -A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment \"loopback from outside\" \
         -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP\n\
         -A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP\n\
         -A KUBE-FORWARD -m comment --comment \"marked for forwarding\" -m mark --mark 0x4000/0x4000 -j ACCEPT\n\
         -A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
         COMMIT"
    )
}

fn nat(out: &mut impl Write, services: u32, endpoints: u32) -> std::io::Result<()> {
    writeln!(
        out,
        "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n\
         :POSTROUTING ACCEPT [0:0]\n:KUBE-MARK-MASQ - [0:0]\n:KUBE-NODEPORTS - [0:0]\n\
         :KUBE-POSTROUTING - [0:0]\n:KUBE-SERVICES - [0:0]"
    )?;
    for service in 0..services {
        writeln!(out, ":{} - [0:0]", chain("SVC", service, 0))?;
        for endpoint in 0..endpoints {
            writeln!(out, ":{} - [0:0]", chain("SEP", service, endpoint + 1))?;
        }
    }
    writeln!(
        out,
        "-A PREROUTING -m comment --comment \"to the services\" -j KUBE-SERVICES\n\
         -A OUTPUT -m comment --comment \"to the services\" -j KUBE-SERVICES\n\
         -A POSTROUTING -m comment --comment \"from the services\" -j KUBE-POSTROUTING\n\
         -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000\n\
         -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN\n\
         -A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0\n\
         -A KUBE-POSTROUTING -m comment --comment \"needs the address of the node\" -j MASQUERADE --random-fully"
    )?;
    for service in 0..services {
        one_service(out, service, endpoints)?;
    }
    writeln!(
        out,
        "-A KUBE-SERVICES -m comment --comment \"ports of the node; this rule stays the last\" \
         -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\nCOMMIT"
    )
}

fn one_service(out: &mut impl Write, service: u32, endpoints: u32) -> std::io::Result<()> {
    let address = Ipv4Addr::from(0x0a60_0000 + service + 1);
    let port = [80, 443, 5432, 8080][service as usize % 4];
    let name = format!("team-{}/app-{service}:main", service % 200);
    let own = chain("SVC", service, 0);
    writeln!(
        out,
        "-A KUBE-SERVICES -d {address}/32 -p tcp -m comment --comment \"{name} cluster IP\" -m tcp --dport {port} -j {own}\n\
         -A {own} ! -s 10.0.0.0/12 -d {address}/32 -p tcp -m comment --comment \"{name} cluster IP\" -m tcp --dport {port} -j KUBE-MARK-MASQ"
    )?;
    for endpoint in 0..endpoints {
        let to = chain("SEP", service, endpoint + 1);
        let pod = Ipv4Addr::from(0x0a00_0000 + (service * endpoints + endpoint) % 0x000f_ffff + 1);
        let left = endpoints - endpoint;
        let chance = if left > 1 {
            let probability = 1.0 / f64::from(left);
            format!(" -m statistic --mode random --probability {probability:.11}")
        } else {
            String::new()
        };
        writeln!(
            out,
            "-A {own} -m comment --comment \"{name} -> {pod}:8080\"{chance} -j {to}\n\
             -A {to} -s {pod}/32 -m comment --comment \"{name}\" -j KUBE-MARK-MASQ\n\
             -A {to} -p tcp -m comment --comment \"{name}\" -m tcp -j DNAT --to-destination {pod}:8080"
        )?;
    }
    Ok(())
}

/// A name as a hash would give it.
fn chain(kind: &str, service: u32, endpoint: u32) -> String {
    let mut state = (u64::from(service) << 32 | u64::from(endpoint)) ^ 0x9e37_79b9_7f4a_7c15;
    let mut name = format!("KUBE-{kind}-");
    for _ in 0..16 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let letter = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::try_from(state >> 59).unwrap_or(0)];
        name.push(char::from(letter));
    }
    name
}
