//! Connections open at once from each address.
//!
//! While there are plenty, an address may have as many as it likes: behind it may stand an office,
//! or a service with one pool. Once three quarters of all are open, one gets another only while it
//! has fewer than are left. So an address that is alone has three quarters at most, and whoever
//! comes later still finds room, however many have taken what they can.

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

/// How many connections one address may have when `free` of `all` places are left, the one that it
/// asks for among them.
pub(crate) fn fair_part(all: usize, free: usize) -> usize {
    if free > all / 4 { all } else { free }
}

/// How many connections one address may have while nobody else has any.
pub(crate) fn most_of_one(all: usize) -> usize {
    all - all / 4
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

    /// How many `address` has.
    pub(crate) fn of(&self, address: IpAddr) -> usize {
        let open = self.0.get(&AddressKey::of(address));
        open.map_or(0, |open| *open)
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

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([203, 0, 113, last])
    }

    /// Opens connections of `address` beside those that are open, until one is refused.
    fn take_all(all: &Arc<OpenConnections>, open: &mut Vec<OpenConnection>, address: u8) -> usize {
        let before = open.len();
        while let free = 1000 - open.len()
            && free > 0
            && let Some(another) = all.open(ip(address), fair_part(1000, free))
        {
            open.push(another);
        }
        open.len() - before
    }

    #[test]
    fn who_comes_late_finds_room_though_others_took_all_they_could() {
        let all = Arc::new(OpenConnections::default());
        let mut open = Vec::new();
        assert_eq!(take_all(&all, &mut open, 1), most_of_one(1000));
        assert_eq!(all.of(ip(1)), 750);
        let later = [2, 3, 4, 5].map(|address| take_all(&all, &mut open, address));
        assert_eq!(later, [125, 63, 31, 16]);
        assert_eq!(
            take_all(&all, &mut open, 1),
            0,
            "which has more than others"
        );
        open.drain(..300);
        assert!(take_all(&all, &mut open, 1) > 0, "there are plenty again");
    }

    #[test]
    fn a_few_connections_are_shared_too() {
        for most in 1..20 {
            assert_eq!(fair_part(most, most), most, "the first of {most}");
            assert!(fair_part(most, 1) > 0, "the last of {most}");
            assert!((1..=most).contains(&most_of_one(most)));
        }
    }

    #[test]
    fn each_address_has_a_cap_of_its_own_and_none_is_remembered_without_connections() {
        let all = Arc::new(OpenConnections::default());
        let [one, neighbour] = ["2001:db8:1:2::1", "2001:db8:1:2::9"].map(|ip| ip.parse().unwrap());
        let open: Vec<_> = (0..3).map(|_| all.open(one, 3).unwrap()).collect();
        assert!(all.open(neighbour, 3).is_none(), "the same /64");
        let other = all.open(ip(1), 3).unwrap();
        drop(open);
        assert!(all.open(one, 1).is_some());
        drop(other);
        assert!(all.0.is_empty());
    }
}
