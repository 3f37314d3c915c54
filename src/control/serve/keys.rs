//! Outside. Numbers that are this server's own, by its key or by chance.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    net::SocketAddr,
};

use rustix::system::uname;
use siphasher::sip::SipHasher13;

use crate::{config::Config, overload::Keys};

/// A number of this server alone, whose fleet has one key: by the name of the machine and where it listens.
pub(super) fn seed(key: &[u8; 16], addresses: &[SocketAddr]) -> u64 {
    let mut hasher = SipHasher13::new_with_key(key);
    hasher.write(uname().nodename().to_bytes());
    addresses.iter().for_each(|address| hasher.write(address.to_string().as_bytes()));
    hasher.finish()
}

/// Where each source has its bucket is for nobody to foresee, so that nobody aims at another's.
pub(super) fn keys(config: &Config) -> Keys {
    let secret = RandomState::new();
    let [first, second] = [0_u8, 1].map(|half| secret.hash_one(half).to_ne_bytes());
    let mut of_table = [0; 16];
    of_table.iter_mut().zip(first.into_iter().chain(second)).for_each(|(place, byte)| *place = byte);
    Keys { of_answers: config.settings.key, of_table }
}
