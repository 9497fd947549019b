use tokio::time::advance;

use super::*;

fn guard(connections: u32, rejections: u32, most_addresses: usize) -> AddressGuard {
    AddressGuard::with_most_addresses(
        NonZeroU32::new(connections).unwrap(),
        NonZeroU32::new(rejections).unwrap(),
        most_addresses,
    )
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn ipv6_callers_are_told_apart_by_their_64() {
    let key = |text| AddressKey::of(ip(text));
    assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
    assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
    assert_ne!(key("203.0.113.1"), key("203.0.113.2"));
    assert_eq!(key("::ffff:203.0.113.1"), key("203.0.113.1"));
    assert_eq!(key("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");
    assert_eq!(key("203.0.113.1").to_string(), "203.0.113.1");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_connects_too_often_waits_and_others_do_not() {
    let guard = guard(3, 1, 10);
    for _ in 0..3 {
        guard.check_connection(ip("203.0.113.1")).unwrap();
    }
    let wait = guard.check_connection(ip("203.0.113.1")).unwrap_err();
    assert_eq!(wait, Duration::from_secs(20));
    guard.check_connection(ip("203.0.113.2")).unwrap();
    advance(wait).await;
    guard.check_connection(ip("203.0.113.1")).unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_operator_is_warned_of_an_address_once_a_minute() {
    let guard = guard(1, 1, 10);
    let news = || [1, 2].map(|host| guard.is_news(IpAddr::from([203, 0, 113, host])));
    assert_eq!(news(), [true, true]);
    assert_eq!(news(), [false, false]);
    advance(Duration::from_secs(59)).await;
    assert_eq!(news(), [false, false]);
    advance(Duration::from_secs(1)).await;
    assert_eq!(news(), [true, true]);
    for host in 3..=255 {
        guard.is_news(IpAddr::from([203, 0, 113, host]));
    }
    assert!(guard.warnings.len() <= 11, "strangers cannot grow it");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_keeps_presenting_rejected_keys_may_present_no_more() {
    let guard = guard(1, 3, 10);
    let address = ip("203.0.113.1");
    for _ in 0..3 {
        guard.may_present_unknown_key(address).unwrap();
        guard.record_rejected_key(address);
    }
    assert_eq!(
        guard.may_present_unknown_key(address),
        Err(Duration::from_secs(20))
    );
    assert_eq!(guard.may_present_unknown_key(ip("203.0.113.2")), Ok(()));
    advance(Duration::from_secs(19)).await;
    assert_eq!(
        guard.may_present_unknown_key(address),
        Err(Duration::from_secs(1))
    );
    advance(Duration::from_secs(1)).await;
    guard.may_present_unknown_key(address).unwrap();
    guard.record_rejected_key(address);
    assert_eq!(
        guard.may_present_unknown_key(address),
        Err(Duration::from_secs(20)),
        "one more in each twenty seconds"
    );
}

#[tokio::test(start_paused = true)]
async fn asking_whether_a_key_may_be_presented_charges_nothing() {
    let guard = guard(1, 1, 10);
    for _ in 0..100 {
        guard.may_present_unknown_key(ip("203.0.113.1")).unwrap();
    }
    assert!(guard.rejections.is_empty());
}

#[tokio::test(start_paused = true)]
async fn strangers_cannot_grow_the_maps() {
    let guard = guard(2, 1, 10);
    let mut admitted = 0;
    for host in 0..=255 {
        let address = IpAddr::from([203, 0, 113, host]);
        admitted += u32::from(guard.check_connection(address).is_ok());
        guard.record_rejected_key(address);
    }
    assert_eq!(admitted, 12, "ten of their own, and two of all the others");
    assert!(
        guard.connections.len() <= 11 && guard.rejections.len() <= 11 && guard.barred.len() <= 11
    );
    let newcomer = ip("198.51.100.1");
    assert!(
        guard.check_connection(newcomer).is_err(),
        "beyond the bound all share one entry"
    );
    assert!(guard.may_present_unknown_key(newcomer).is_err());
}

#[tokio::test(start_paused = true)]
async fn addresses_that_equal_unknown_ones_are_forgotten() {
    let guard = guard(2, 1, 10);
    for host in 0..10 {
        let address = IpAddr::from([203, 0, 113, host]);
        guard.check_connection(address).unwrap();
        guard.record_rejected_key(address);
    }
    advance(Duration::from_secs(3600)).await;
    guard.check_connection(ip("198.51.100.1")).unwrap();
    assert_eq!(
        (
            guard.connections.len(),
            guard.rejections.len(),
            guard.barred.len()
        ),
        (1, 0, 0)
    );
}
