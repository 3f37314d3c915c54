//! Pure. Default reason phrases.

/// Default reason phrase of a status code (RFC 3261 §21 and the IANA registry); `Unknown` never: a
/// code without an entry has the phrase of its class's first code (RFC 3261 §8.1.3.2).
#[must_use]
pub const fn reason_phrase(status: u16) -> &'static str {
    match status {
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        199 => "Early Dialog Terminated",
        100..=199 => "Trying",
        202 => "Accepted",
        204 => "No Notification",
        200..=299 => "OK",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        300..=399 => "Multiple Choices",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        417 => "Unknown Resource-Priority",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        424 => "Bad Location Information",
        425 => "Bad Alert Message",
        428 => "Use Identity Header",
        429 => "Provide Referrer Identity",
        430 => "Flow Failed",
        433 => "Anonymity Disallowed",
        436 => "Bad Identity Info",
        437 => "Unsupported Credential",
        438 => "Invalid Identity Header",
        439 => "First Hop Lacks Outbound Support",
        440 => "Max-Breadth Exceeded",
        469 => "Bad Info Package",
        470 => "Consent Needed",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        494 => "Security Agreement Required",
        400..=499 => "Bad Request",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        555 => "Push Notification Service Not Supported",
        580 => "Precondition Failure",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        607 => "Unwanted",
        608 => "Rejected",
        600..=699 => "Busy Everywhere",
        _ => "Server Internal Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_codes_have_the_phrase_of_their_class() {
        for (code, known) in
            [(199, 199), (150, 100), (299, 200), (399, 300), (499, 400), (599, 500), (699, 600)]
        {
            assert_eq!(reason_phrase(code), reason_phrase(known));
        }
        assert_eq!(reason_phrase(302), "Moved Temporarily");
        assert_eq!(reason_phrase(500), "Server Internal Error");
    }

    #[test]
    fn every_phrase_fits_a_status_line() {
        for status in 0..=999 {
            let phrase = reason_phrase(status);
            assert!(!phrase.is_empty() && phrase.bytes().all(|b| (b' '..0x7f).contains(&b)), "{status}");
        }
    }
}
