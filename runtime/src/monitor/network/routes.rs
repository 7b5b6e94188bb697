//! Which default routes can be used, from the bytes of the kernel's answer. Pure and total: no
//! bytes make it panic, what is cut off or does not fit is left out.
//!
//! A route can be used when it is unicast to everywhere (IPv4 or IPv6, any table, so that VPNs
//! count), neither dead nor without carrier, and goes out of a link that is up, has carrier and
//! is not the loopback. Of a multipath route one way suffices.

use std::collections::{BTreeMap, BTreeSet};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWLINK: u16 = 16;
const RTM_NEWROUTE: u16 = 24;
const NLM_F_DUMP_INTR: u16 = 0x10;

const IFF_UP: u32 = 0x1;
const IFF_LOOPBACK: u32 = 0x8;
const IFF_LOWER_UP: u32 = 0x1_0000;

const RTN_UNICAST: u8 = 1;
const RTM_F_CLONED: u32 = 0x200;
/// RTNH_F_DEAD and RTNH_F_LINKDOWN.
const UNUSABLE: u32 = 0x1 | 0x10;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_MULTIPATH: u16 = 9;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// What a datagram was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// There is more to come.
    More,
    /// It was the last one.
    Done,
    /// The kernel refused.
    Refused,
}

/// A way out: the link's index, and the address of the gateway if there is one.
pub(super) type Way = (u32, Vec<u8>);

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// Whether each link can carry.
    links: BTreeMap<u32, bool>,
    ways: BTreeSet<Way>,
    disturbed: bool,
}

impl Routes {
    /// Ask for all links, then for all routes.
    pub(super) const REQUESTS: [[u8; 20]; 2] = [request(18), request(26)];

    /// Takes one datagram in.
    pub(super) fn take(&mut self, datagram: &[u8]) -> Seen {
        for message in Messages(datagram) {
            self.disturbed |= message.flags & NLM_F_DUMP_INTR != 0;
            match message.kind {
                NLMSG_DONE => return Seen::Done,
                NLMSG_ERROR => return Seen::Refused,
                RTM_NEWLINK => {
                    if let Some((index, carries)) = link(message.body) {
                        self.links.insert(index, carries);
                    }
                }
                RTM_NEWROUTE => self.route(message.body).unwrap_or_default(),
                _ => {}
            }
        }
        Seen::More
    }

    /// Whether something changed while the kernel wrote: then it is to be read again.
    pub(super) fn disturbed(&self) -> bool {
        self.disturbed
    }

    /// Whether a usable default route was among it.
    pub(super) fn usable(&self) -> bool {
        !self.ways.is_empty()
    }

    /// All ways of usable default routes that were among it.
    pub(super) fn into_ways(self) -> BTreeSet<Way> {
        self.ways
    }

    /// `struct rtmsg`: family, destination's length, source's length, service, table, protocol,
    /// scope, type, flags; attributes. `None`: it is cut off.
    fn route(&mut self, body: &[u8]) -> Option<()> {
        let flags = u32_at(body, 8)?;
        let family = *body.first()?;
        let everywhere = *body.get(1)? == 0;
        if !matches!(family, AF_INET | AF_INET6)
            || !everywhere
            || *body.get(7)? != RTN_UNICAST
            || flags & (UNUSABLE | RTM_F_CLONED) != 0
        {
            return Some(());
        }
        let attributes = body.get(12..)?;
        let link = Attributes(attributes).find(|(kind, _)| *kind == RTA_OIF);
        if let Some(index) = link.and_then(|(_, value)| u32_at(value, 0)) {
            self.way(index, attributes);
        }
        let hops = Attributes(attributes).filter(|(kind, _)| *kind == RTA_MULTIPATH);
        for (flags, index, attributes) in hops.flat_map(|(_, value)| NextHops(value)) {
            if flags & UNUSABLE == 0 {
                self.way(index, attributes);
            }
        }
        Some(())
    }

    /// Adds a way, if its link can carry.
    fn way(&mut self, index: u32, attributes: &[u8]) {
        if self.links.get(&index) == Some(&true) {
            let gateway = Attributes(attributes).find(|(kind, _)| *kind == RTA_GATEWAY);
            let gateway = gateway.map(|(_, address)| address.to_vec());
            self.ways.insert((index, gateway.unwrap_or_default()));
        }
    }
}

/// `struct ifinfomsg`: family, padding, type, index, flags, change.
fn link(body: &[u8]) -> Option<(u32, bool)> {
    let (index, flags) = (u32_at(body, 4)?, u32_at(body, 8)?);
    let wanted = IFF_UP | IFF_LOWER_UP;
    Some((index, flags & (wanted | IFF_LOOPBACK) == wanted))
}

/// A dump of everything of one kind: header, and an `rtgenmsg` of no family.
const fn request(kind: u16) -> [u8; 20] {
    // NLM_F_REQUEST | NLM_F_DUMP
    const FLAGS: u16 = 0x1 | 0x300;
    let (length, kind, flags) = (20u32.to_ne_bytes(), kind.to_ne_bytes(), FLAGS.to_ne_bytes());
    let mut bytes = [0; 20];
    let mut at = 0;
    while at < 4 {
        bytes[at] = length[at];
        at += 1;
    }
    (bytes[4], bytes[5]) = (kind[0], kind[1]);
    (bytes[6], bytes[7]) = (flags[0], flags[1]);
    bytes
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

/// Splits one item of `length` bytes off, which says its own length; what follows is aligned to
/// four. Nothing if the length is less than its head or more than there is.
fn split<'b>(bytes: &mut &'b [u8], length: usize, head: usize) -> Option<&'b [u8]> {
    let item = bytes.get(..length).filter(|item| item.len() >= head)?;
    *bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some(item)
}

struct Message<'b> {
    kind: u16,
    flags: u16,
    body: &'b [u8],
}

/// `struct nlmsghdr`: length, type, flags, sequence, port.
struct Messages<'b>(&'b [u8]);

impl<'b> Iterator for Messages<'b> {
    type Item = Message<'b>;

    fn next(&mut self) -> Option<Message<'b>> {
        let length = usize::try_from(u32_at(self.0, 0)?).ok()?;
        let item = split(&mut self.0, length, 16)?;
        Some(Message {
            kind: u16_at(item, 4)?,
            flags: u16_at(item, 6)?,
            body: item.get(16..)?,
        })
    }
}

/// `struct rtattr`: length, type; value.
struct Attributes<'b>(&'b [u8]);

impl<'b> Iterator for Attributes<'b> {
    type Item = (u16, &'b [u8]);

    fn next(&mut self) -> Option<(u16, &'b [u8])> {
        let length = u16_at(self.0, 0)?.into();
        let item = split(&mut self.0, length, 4)?;
        // The two highest bits say how it is to be read, not what it is.
        Some((u16_at(item, 2)? & 0x3fff, item.get(4..)?))
    }
}

/// `struct rtnexthop`: length, flags, hops, interface; attributes. Gives flags, interface and
/// attributes.
struct NextHops<'b>(&'b [u8]);

impl<'b> Iterator for NextHops<'b> {
    type Item = (u32, u32, &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = u16_at(self.0, 0)?.into();
        let item = split(&mut self.0, length, 8)?;
        Some(((*item.get(2)?).into(), u32_at(item, 4)?, item.get(8..)?))
    }
}

#[cfg(test)]
mod tests;
