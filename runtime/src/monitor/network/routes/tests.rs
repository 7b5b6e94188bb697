use proptest::prelude::*;

use super::*;

const UP: u32 = IFF_UP | IFF_LOWER_UP;

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(16 + body.len())
        .expect("short")
        .to_ne_bytes()
        .to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(4 + value.len())
        .expect("short")
        .to_ne_bytes()
        .to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn new_link(index: u32, flags: u32) -> Vec<u8> {
    let mut body = vec![0, 0, 1, 0];
    body.extend(index.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body.extend([0; 4]);
    body.extend(attribute(3, b"eth0\0"));
    message(RTM_NEWLINK, 2, &body)
}

/// A unicast default route of IPv4 in the main table, changed by `with`.
fn route(flags: u32, attributes: &[u8], with: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut body = vec![AF_INET, 0, 0, 0, 254, 3, 0, RTN_UNICAST];
    body.extend(flags.to_ne_bytes());
    body.extend(attribute(15, &254u32.to_ne_bytes()));
    body.extend(attributes);
    with(&mut body);
    message(RTM_NEWROUTE, 2, &body)
}

fn out(index: u32) -> Vec<u8> {
    attribute(RTA_OIF, &index.to_ne_bytes())
}

fn hop(flags: u8, index: u32) -> Vec<u8> {
    let mut bytes = 16u16.to_ne_bytes().to_vec();
    bytes.extend([flags, 0]);
    bytes.extend(index.to_ne_bytes());
    bytes.extend(attribute(RTA_GATEWAY, &[10, 0, 0, 1]));
    bytes
}

fn usable(datagrams: &[Vec<u8>]) -> bool {
    let mut routes = Routes::default();
    for datagram in datagrams {
        assert_eq!(routes.take(datagram), Seen::More);
    }
    routes.usable()
}

#[test]
fn which_routes_can_be_used() {
    let plain = |_: &mut Vec<u8>| {};
    let up = new_link(2, UP);
    let through = |route: Vec<u8>| usable(&[up.clone(), route]);
    assert!(through(route(0, &out(2), plain)));
    assert!(through(route(0, &out(2), |body| body[0] = AF_INET6)));
    assert!(
        through(route(0, &out(2), |body| body[4] = 77)),
        "a VPN's table"
    );
    assert!(
        !through(route(0, &out(2), |body| body[0] = 28)),
        "another family"
    );
    assert!(!through(route(0, &out(2), |body| body[1] = 8)), "a network");
    assert!(
        !through(route(0, &out(2), |body| body[7] = 7)),
        "unreachable"
    );
    assert!(!through(route(0x1, &out(2), plain)), "dead");
    assert!(!through(route(0x10, &out(2), plain)), "no carrier");
    assert!(
        !through(route(RTM_F_CLONED, &out(2), plain)),
        "a cache entry"
    );
    assert!(!through(route(0, &out(3), plain)), "an unknown link");
    assert!(!through(route(0, &[], plain)), "no link");
    let marked = attribute(RTA_OIF | 0x8000, &2u32.to_ne_bytes());
    assert!(through(route(0, &marked, plain)), "a marked attribute");
}

#[test]
fn which_links_can_carry() {
    for (flags, carries) in [
        (UP, true),
        (UP | 0x1000, true),
        (IFF_UP, false),
        (IFF_LOWER_UP, false),
        (UP | IFF_LOOPBACK, false),
        (0, false),
    ] {
        let datagrams = [new_link(7, flags), route(0, &out(7), |_| {})];
        assert_eq!(usable(&datagrams), carries, "{flags:x}");
    }
}

#[test]
fn one_way_of_many_suffices() {
    for (hops, expected) in [
        (vec![hop(0, 2), hop(0, 3)], true),
        (vec![hop(0, 3), hop(0, 2)], true),
        (vec![hop(0x10, 2), hop(0, 3)], false),
        (vec![hop(0x1, 2), hop(0x4, 2)], true),
        (vec![], false),
    ] {
        let ways = attribute(RTA_MULTIPATH, &hops.concat());
        let datagrams = [
            new_link(2, UP),
            new_link(3, IFF_UP),
            route(0, &ways, |_| {}),
        ];
        assert_eq!(usable(&datagrams), expected, "{hops:?}");
    }
}

#[test]
fn each_way_is_its_link_and_its_gateway() {
    let mut routes = Routes::default();
    let gateway = [out(2), attribute(RTA_GATEWAY, &[10, 0, 0, 9])].concat();
    let hops = attribute(RTA_MULTIPATH, &[hop(0, 3), hop(0x1, 2)].concat());
    for datagram in [
        new_link(2, UP),
        new_link(3, UP),
        route(0, &gateway, |_| {}),
        route(0, &gateway, |body| body[4] = 77),
        route(0, &hops, |_| {}),
        route(0, &out(3), |_| {}),
    ] {
        routes.take(&datagram);
    }
    let expected = [(2, vec![10, 0, 0, 9]), (3, vec![]), (3, vec![10, 0, 0, 1])];
    assert_eq!(routes.into_ways(), BTreeSet::from(expected));
}

#[test]
fn how_a_dump_ends() {
    let mut routes = Routes::default();
    assert_eq!(routes.take(&message(NLMSG_DONE, 2, &[0; 4])), Seen::Done);
    assert_eq!(
        routes.take(&message(NLMSG_ERROR, 0, &[0; 20])),
        Seen::Refused
    );
    assert_eq!(routes.take(&message(0, 0, &[])), Seen::More);
    let several = [
        new_link(2, UP),
        route(0, &out(2), |_| {}),
        message(NLMSG_DONE, 2, &[]),
    ];
    assert_eq!(routes.take(&several.concat()), Seen::Done);
    assert!(routes.usable());
}

#[test]
fn a_disturbed_dump_says_so() {
    let mut routes = Routes::default();
    assert_eq!(routes.take(&new_link(2, UP)), Seen::More);
    assert!(!routes.disturbed());
    let end = message(NLMSG_DONE, NLM_F_DUMP_INTR | 2, &[]);
    assert_eq!(routes.take(&end), Seen::Done);
    assert!(routes.disturbed());
}

#[test]
fn cut_off_answers_are_left_out() {
    let whole = [new_link(2, UP), route(0, &out(2), |_| {})].concat();
    for length in 0..whole.len() {
        let mut routes = Routes::default();
        assert_eq!(routes.take(&whole[..length]), Seen::More);
        assert!(!routes.usable(), "{length} bytes");
    }
}

#[test]
fn lengths_that_lie_end_the_reading() {
    for length in [0u32, 1, 15, 17, u32::MAX] {
        let mut bytes = new_link(2, UP);
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        let mut routes = Routes::default();
        assert_eq!(routes.take(&bytes), Seen::More);
    }
    for length in [0u16, 3, u16::MAX] {
        let mut lying = out(2);
        lying[..2].copy_from_slice(&length.to_ne_bytes());
        assert!(!usable(&[new_link(2, UP), route(0, &lying, |_| {})]));
        let mut lying = hop(0, 2);
        lying[..2].copy_from_slice(&length.to_ne_bytes());
        let ways = attribute(RTA_MULTIPATH, &lying);
        assert!(!usable(&[new_link(2, UP), route(0, &ways, |_| {})]));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        Routes::default().take(&bytes);
    }

    /// Mostly well-formed, so that the inner parts are reached.
    #[test]
    fn no_bodies_make_it_panic(
        kind in prop::sample::select(vec![RTM_NEWLINK, RTM_NEWROUTE]),
        head in prop::sample::select(vec![&[AF_INET, 0, 0, 0, 0, 0, 0, RTN_UNICAST, 0, 0, 0, 0][..], &[]]),
        attribute_kind in prop::sample::select(vec![RTA_OIF, RTA_MULTIPATH]),
        tail in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let body = [head, &attribute(attribute_kind, &tail), &tail].concat();
        let mut routes = Routes::default();
        routes.take(&new_link(2, UP));
        routes.take(&message(kind, 2, &body));
    }
}
