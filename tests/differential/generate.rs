//! Requests that are made up: valid ones in many spellings, and the same with a few bytes or lines wrong.

/// SplitMix64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as usize % below
    }

    /// One of these, mostly the first: what is rare on the wire stands last.
    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        if self.roll(6) > 0 { of[0] } else { of[self.roll(of.len())] }
    }
}

const METHODS: &[&str] =
    &["INVITE", "INVITE", "OPTIONS", "MESSAGE", "SUBSCRIBE", "BYE", "JUMP", "INVITEE", "invite"];
const USERS: &[&str] = &[
    "alice",
    "+442079460123",
    "+4420;rn=+4421;npdi",
    "a%20b",
    "al:pw",
    "j.doe-1_!~*'()&=+$",
    "%C3%A9",
    "a;x=%40",
    "#31#",
];
const HOSTS: &[&str] = &[
    "example.net",
    "EXAMPLE.net.",
    "192.0.2.7",
    "[2001:db8::1]",
    "a-b.example",
    "under_score.example",
    "1.2.3",
];
const URI_TAILS: &[&str] = &["", "", ":5070", ";lr", ";transport=tcp;user=phone", ":5061;maddr=192.0.2.9"];
const OTHER_URIS: &[&str] =
    &["tel:+442079460123", "tel:+1-201-555-0123;ext=3", "urn:service:sos", "http://example.net/a?b"];
const DISPLAYS: &[&str] =
    &["", "", "Bob ", "Bob B. ", "\"Bob, \\\"B\\\" <x>\" ", "\"\" ", "\"B\u{f6}b\" ", "B\u{f6}b "];
const TAGS: &[&str] = &["", ";tag=1928301774", ";x=y;tag=a.b-c", " ; TAG = q1", ";tag=a=b", ";tag=\"q\""];
const BRANCHES: &[&str] = &[
    ";branch=z9hG4bK776",
    ";rport;branch=z9hG4bKa.b-c",
    ";branch=z9hG4bK1;received=192.0.2.66;rport=9",
    ";BRANCH=z9hG4bK2",
    ";ttl=1",
    ";branch=z9hG4bK==@",
];
const CALL_IDS: &[&str] = &["a84b4c76e66710", "1@example.net", "(a)<b>\"{c}[d]?/:", "f@[2001:db8::1]"];
const NUMBERS: &[&str] = &["1", "0", "314159", "2147483647", "0007"];
const EXTRA: &[&str] = &[
    "Max-Forwards: 70",
    "Subject: a, b",
    "X: ",
    "Contact: <sip:a@b>, <sip:c@d>;q=0.5",
    "Supported : 100rel",
    "Route: <sip:p;lr>",
    "X-Long: a\r\n b\r\n\tc",
    "Date: whenever",
];

/// A request of RFC 3261's grammar.
pub(crate) fn valid(dice: &mut Dice) -> Vec<u8> {
    let method = dice.one(METHODS);
    let end = dice.one(&["\r\n", "\r\n", "\r\n", "\n"]);
    let compact = dice.roll(4) == 0;
    let name = |long: &'static str, short: &'static str| if compact { short } else { long };
    let uri = if dice.roll(6) == 0 { dice.one(OTHER_URIS).to_owned() } else { sip_uri(dice) };
    let mut lines = Vec::new();
    for _ in 0..1 + dice.roll(3) {
        let values: Vec<_> = (0..1 + dice.roll(2)).map(|_| via(dice)).collect();
        lines.push(format!("{}: {}", name("Via", "v"), values.join(dice.one(&[",", ", ", " , "]))));
    }
    let colon = dice.one(&[": ", ":", " : ", ":\r\n  "]);
    lines.push(format!("{}{colon}{}", name("From", "f"), address(dice)));
    lines.push(format!("{}: {}", name("To", "t"), address(dice)));
    lines.push(format!("{}: {}", name("Call-ID", "i"), dice.one(CALL_IDS)));
    lines.push(format!(
        "{}: {}{}{method}",
        dice.one(&["CSeq", "CSEQ"]),
        dice.one(NUMBERS),
        dice.one(&[" ", "  ", "\r\n "])
    ));
    for _ in 0..dice.roll(4) {
        lines.push(dice.one(EXTRA).to_owned());
    }
    let body = dice.one(&["", "", "v=0\r\n", "body"]);
    if dice.roll(3) > 0 {
        lines.push(format!("{}: {}", name("Content-Length", "l"), body.len()));
    }
    let text = format!("{method} {uri} SIP/2.0{end}{}{end}{end}{body}", lines.join(end));
    text.into_bytes()
}

fn sip_uri(dice: &mut Dice) -> String {
    let user = if dice.roll(5) == 0 { String::new() } else { format!("{}@", dice.one(USERS)) };
    format!("{}:{user}{}{}", dice.one(&["sip", "sip", "sips", "SIP"]), dice.one(HOSTS), dice.one(URI_TAILS))
}

fn via(dice: &mut Dice) -> String {
    let version = dice.one(&["SIP/2.0/", "SIP/2.0/", "SIP / 2.0 / "]);
    let port = dice.one(&["", ":5060", " : 5070"]);
    format!("{version}{} {}{port}{}", dice.one(&["UDP", "TCP", "TLS"]), dice.one(HOSTS), dice.one(BRANCHES))
}

fn address(dice: &mut Dice) -> String {
    let uri = if dice.roll(8) == 0 { dice.one(OTHER_URIS).to_owned() } else { sip_uri(dice) };
    let bare = dice.roll(6) == 0 && !uri.contains([';', ',', '?']);
    let address = if bare { uri } else { format!("{}<{uri}>", dice.one(DISPLAYS)) };
    format!("{address}{}", dice.one(TAGS))
}

const ODD: &[u8] = b"\0\t \"\\<>,;:@?%[]=/\r\n\x80x0";

/// The same with something wrong.
pub(crate) fn mangled(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = valid(dice);
    for _ in 0..1 + dice.roll(2) {
        let at = dice.roll(bytes.len());
        match dice.roll(7) {
            0 => bytes[at] = ODD[dice.roll(ODD.len())],
            1 => bytes.insert(at, ODD[dice.roll(ODD.len())]),
            2 => drop(bytes.remove(at)),
            3 if dice.roll(4) == 0 => bytes.truncate(at),
            4 => bytes[at] ^= 1 << dice.roll(8),
            how => {
                // A line less, or twice.
                let mut lines: Vec<_> =
                    bytes.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
                let line = dice.roll(lines.len());
                if how == 5 {
                    drop(lines.remove(line))
                } else {
                    lines.insert(line, lines[line].clone())
                }
                bytes = lines.concat();
            }
        }
        if bytes.is_empty() {
            return valid(dice);
        }
    }
    bytes
}
