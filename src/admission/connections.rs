//! Connections open at once from each address.

use std::net::IpAddr;
use std::sync::Arc;

use dashmap::{DashMap, Entry};

use super::AddressKey;

/// How many connections each address has open. It never knows more addresses than there are open
/// connections, so strangers cannot grow it.
#[derive(Debug, Default)]
pub(crate) struct OpenConnections(DashMap<AddressKey, usize>);

/// An open connection, counted for its address until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    all: Arc<OpenConnections>,
    key: AddressKey,
}

impl OpenConnections {
    /// Counts one more connection of `address`, unless it has `most` already.
    pub(crate) fn open(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<OpenConnection> {
        let key = AddressKey::of(address);
        match self.0.entry(key) {
            Entry::Occupied(entry) if *entry.get() >= most => return None,
            Entry::Occupied(mut entry) => *entry.get_mut() += 1,
            Entry::Vacant(_) if most == 0 => return None,
            Entry::Vacant(entry) => drop(entry.insert(1)),
        }
        Some(OpenConnection {
            all: Arc::clone(self),
            key,
        })
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.all.0.entry(self.key) {
            let left = entry.get().saturating_sub(1);
            if left == 0 {
                entry.remove();
            } else {
                *entry.get_mut() = left;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_a_cap_of_its_own_and_none_is_remembered_without_connections() {
        let all = Arc::new(OpenConnections::default());
        let ip = |text: &str| text.parse().unwrap();
        let open: Vec<_> = (0..3)
            .map(|_| all.open(ip("2001:db8:1:2::1"), 3).unwrap())
            .collect();
        assert!(all.open(ip("2001:db8:1:2::9"), 3).is_none(), "the same /64");
        let other = all.open(ip("203.0.113.1"), 3).unwrap();
        drop(open);
        assert!(all.open(ip("2001:db8:1:2::1"), 1).is_some());
        drop(other);
        assert!(all.0.is_empty());
    }
}
