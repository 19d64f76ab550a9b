//! Services that are not made for strangers.

/// Protocol, port, name, and the setting that binds it.
pub(super) type Service = (u8, u16, &'static str, &'static str);

/// Services that are not made for strangers, by protocol and port, with the setting that binds
/// them (from their own manuals).
const PRIVATE: &[Service] = &[
    (
        6,
        111,
        "rpcbind",
        "systemctl disable --now rpcbind.socket rpcbind.service",
    ),
    (
        17,
        111,
        "rpcbind",
        "systemctl disable --now rpcbind.socket rpcbind.service",
    ),
    (6, 389, "LDAP", ""),
    (
        6,
        445,
        "SMB",
        "set `interfaces = lo eth1` and `bind interfaces only = yes` in /etc/samba/smb.conf",
    ),
    (
        6,
        631,
        "CUPS",
        "set `Listen localhost:631` in /etc/cups/cupsd.conf",
    ),
    (
        17,
        161,
        "SNMP",
        "set `agentaddress 127.0.0.1` in /etc/snmp/snmpd.conf",
    ),
    (
        6,
        2049,
        "NFS",
        "set `host=` to the private address in the [nfsd] section of /etc/nfs.conf",
    ),
    (
        6,
        2375,
        "docker's API",
        "remove `tcp://0.0.0.0:2375` from `hosts` in /etc/docker/daemon.json",
    ),
    (
        6,
        2379,
        "etcd",
        "set `listen-client-urls` to http://127.0.0.1:2379",
    ),
    (
        6,
        3306,
        "MySQL or MariaDB",
        "set `bind-address = 127.0.0.1` in /etc/mysql/mariadb.conf.d/50-server.cnf",
    ),
    (
        6,
        5432,
        "PostgreSQL",
        "set `listen_addresses = 'localhost'` in postgresql.conf",
    ),
    (
        6,
        5984,
        "CouchDB",
        "set `bind_address = 127.0.0.1` in local.ini",
    ),
    (
        6,
        6379,
        "redis",
        "set `bind 127.0.0.1 ::1` in /etc/redis/redis.conf",
    ),
    (
        6,
        9042,
        "Cassandra",
        "set `rpc_address: localhost` in cassandra.yaml",
    ),
    (
        6,
        9200,
        "Elasticsearch",
        "set `network.host: 127.0.0.1` in elasticsearch.yml",
    ),
    (6, 10250, "the kubelet's API", ""),
    (
        6,
        11211,
        "memcached",
        "set `-l 127.0.0.1` in /etc/memcached.conf",
    ),
    (
        17,
        11211,
        "memcached",
        "set `-l 127.0.0.1` and `-U 0` in /etc/memcached.conf",
    ),
    (6, 15672, "RabbitMQ's console", ""),
    (
        6,
        27017,
        "MongoDB",
        "set `bindIp: 127.0.0.1` under `net:` in /etc/mongod.conf",
    ),
];

/// The service of that protocol and port.
pub(super) fn private(protocol: u8, port: u16) -> Option<&'static Service> {
    PRIVATE
        .iter()
        .find(|(proto, number, _, _)| (*proto, *number) == (protocol, port))
}
