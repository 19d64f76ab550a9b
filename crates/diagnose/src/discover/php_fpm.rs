//! PHP-FPM: where its pools listen, and its logs.

use surefoot_bisect::ConfigTree;

use super::{DaemonConfig, WrittenAddress};

/// Reads the configuration of the master and its pools.
pub fn read_php_fpm(tree: &ConfigTree) -> DaemonConfig {
    let mut config = DaemonConfig::default();
    for id in tree.ids().filter(|id| !tree.unit(*id).is_block) {
        let text = tree.text_of(id);
        let Some((name, value)) = text.split_once('=') else {
            continue;
        };
        let value = value.trim().trim_matches('"').to_owned();
        match name.trim() {
            "listen" => {
                let place = tree.place_of(id);
                let address = WrittenAddress::read(&value, Some(9000));
                config
                    .listens
                    .extend(address.map(|address| (address, place)));
            }
            "error_log" | "slowlog" | "php_admin_value[error_log]" | "php_value[error_log]" => {
                config.logs.push(value);
            }
            "pid" => config.pid_file = Some(value),
            "chdir" => config.roots.push(value),
            _ => {}
        }
    }
    config
}
