//! Pure. Why a message is refused or passed over: one variant per reason, one table to the wire and
//! to the metrics.

/// Makes an enum, its list of all variants and its table from one list, so that none can lack a row.
macro_rules! reasons {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $row:expr,)* } row: $row_type:ty) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every reason, in the order of the metrics.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            const fn row(self) -> $row_type {
                match self { $(Self::$variant => $row,)* }
            }
        }
    };
}

reasons! {
    /// Why no answer to these bytes can be addressed, or is owed: they are counted and dropped.
    Unanswerable {
        /// No bytes at all.
        Empty = "empty",
        /// Only CR, LF (RFC 5626 §3.5.1 keep-alive) or white space.
        KeepAlive = "keep_alive",
        /// Longer than [`crate::limits::MESSAGE_BYTES_MAX`].
        TooLong = "too_long",
        /// The first line is not a SIP request line or status line.
        NotSip = "not_sip",
        /// A response: nothing we sent can have caused it, and answering answers makes loops.
        Response = "response",
        /// No Via, or a topmost one with control bytes in it: nowhere to send an answer.
        NoVia = "no_via",
        /// None of From, To, Call-ID and CSeq is there: no receiver could match an answer.
        NothingToEcho = "nothing_to_echo",
        /// An ACK that cannot be read. An ACK is never answered.
        BadAck = "bad_ack",
    }
    row: &'static str
}

impl Unanswerable {
    /// Value of the metric's label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        self.row()
    }
}

reasons! {
    /// What is wrong with a request that can still be answered. When there are several, the one that
    /// stands first here is given: it explains most of the others.
    Fault {
        /// Not SIP/2.0: nothing after it is bound to be as we know it.
        BadVersion = (505, "Version Not Supported", "bad_version"),
        /// Not `method SP Request-URI SP SIP-Version`.
        BadRequestLine = (400, "Malformed Request Line", "bad_request_line"),
        /// The Request-URI breaks the grammar of its scheme, or has white space or `<>`.
        BadRequestUri = (400, "Malformed Request-URI", "bad_request_uri"),
        /// The Request-URI has `?` and header fields (RFC 3261 §19.1.1 forbids them there).
        RequestUriHeaders = (400, "Header Fields in Request-URI", "request_uri_headers"),
        /// A parameter's name stands twice in one part of the Request-URI (RFC 3261 §19.1.1).
        DoubleUriParameter = (400, "Doubled Parameter in Request-URI", "double_uri_parameter"),
        /// No empty line ends the header fields: the message was cut off.
        HeadersUnterminated = (400, "Header Fields Without End", "headers_unterminated"),
        /// More lines than [`crate::limits::HEADERS_MAX`].
        TooManyHeaders = (400, "Too Many Header Fields", "too_many_headers"),
        /// More values than [`crate::limits::VIAS_MAX`].
        TooManyVias = (400, "Too Many Via Header Field Values", "too_many_vias"),
        /// A line without a colon, or whose name is not a token.
        BadHeaderLine = (400, "Malformed Header Field", "bad_header_line"),
        /// NUL, a bare CR or the like, outside a quoted pair.
        ControlByte = (400, "Control Character in Header Field", "control_byte"),
        /// No From.
        MissingFrom = (400, "Missing From Header Field", "missing_from"),
        /// No To.
        MissingTo = (400, "Missing To Header Field", "missing_to"),
        /// No Call-ID.
        MissingCallId = (400, "Missing Call-ID Header Field", "missing_call_id"),
        /// No CSeq.
        MissingCseq = (400, "Missing CSeq Header Field", "missing_cseq"),
        /// Several From lines.
        DuplicateFrom = (400, "Duplicate From Header Field", "duplicate_from"),
        /// Several To lines.
        DuplicateTo = (400, "Duplicate To Header Field", "duplicate_to"),
        /// Several Call-ID lines.
        DuplicateCallId = (400, "Duplicate Call-ID Header Field", "duplicate_call_id"),
        /// Several CSeq lines.
        DuplicateCseq = (400, "Duplicate CSeq Header Field", "duplicate_cseq"),
        /// The topmost Via cannot be read.
        BadVia = (400, "Malformed Via Header Field", "bad_via"),
        /// The branch is the magic cookie and nothing more.
        BadBranch = (400, "Via Branch Without Identifier", "bad_branch"),
        /// From is not one address with parameters.
        BadFrom = (400, "Malformed From Header Field", "bad_from"),
        /// To is not one address with parameters.
        BadTo = (400, "Malformed To Header Field", "bad_to"),
        /// Call-ID is empty or has white space in it.
        BadCallId = (400, "Malformed Call-ID Header Field", "bad_call_id"),
        /// CSeq is not a number below 2^31 and a method.
        BadCseq = (400, "Malformed CSeq Header Field", "bad_cseq"),
        /// CSeq has another method than the request line.
        CseqMethodMismatch = (400, "CSeq Method Differs From Request", "cseq_method_mismatch"),
        /// Content-Length is not a number below 2^32.
        BadContentLength = (400, "Malformed Content-Length Header Field", "bad_content_length"),
        /// Several Content-Length lines that differ.
        ContentLengthConflict = (400, "Conflicting Content-Length Header Fields", "content_length_conflict"),
        /// No Content-Length in a stream, where nothing else tells the end (RFC 3261 §18.3).
        MissingContentLength = (400, "Missing Content-Length Header Field", "missing_content_length"),
        /// Content-Length announces more than [`crate::limits::MESSAGE_BYTES_MAX`] in all, in a stream.
        MessageTooLong = (513, "Message Too Large", "message_too_long"),
        /// Fewer bytes follow than Content-Length says (RFC 3261 §18.3).
        BodyTooShort = (400, "Body Shorter Than Content-Length", "body_too_short"),
        /// Max-Forwards is not a number from 0 to 255.
        BadMaxForwards = (400, "Malformed Max-Forwards Header Field", "bad_max_forwards"),
    }
    row: (u16, &'static str, &'static str)
}

impl Fault {
    /// Status code of the answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().0
    }

    /// Reason phrase of the answer: it names the fault.
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        self.row().1
    }

    /// Value of the metric's label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        self.row().2
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn labels_are_snake_case_and_distinct() {
        let labels: Vec<_> = Fault::ALL
            .iter()
            .map(|fault| fault.label())
            .chain(Unanswerable::ALL.iter().map(|why| why.label()))
            .collect();
        assert!(labels.iter().all(|label| label.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
        assert_eq!(labels.iter().collect::<HashSet<_>>().len(), Fault::ALL.len() + Unanswerable::ALL.len());
    }

    #[test]
    fn phrases_are_distinct_and_fit_a_status_line() {
        let phrases: HashSet<_> = Fault::ALL.iter().map(|fault| fault.phrase()).collect();
        assert_eq!(phrases.len(), Fault::ALL.len());
        assert!(phrases.iter().all(|phrase| phrase.bytes().all(|b| (b' '..0x7f).contains(&b))));
        for fault in Fault::ALL {
            let status = match fault {
                Fault::BadVersion => 505,
                Fault::MessageTooLong => 513,
                _ => 400,
            };
            assert_eq!(fault.status(), status);
        }
    }
}
