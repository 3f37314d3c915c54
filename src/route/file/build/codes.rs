//! Pure. Which status codes a route may answer with, and why not the others.

/// Whether a status is a redirect's.
pub(super) fn is_redirect(code: u16) -> bool {
    (300..400).contains(&code)
}

/// Checks the status of a redirect.
pub(super) fn redirect(code: u16) -> Result<u16, String> {
    match code {
        300 | 301 | 302 | 305 | 380 => Ok(code),
        300..400 => Err(format!(
            "{code} is not defined for SIP; expected 300 (choices), 301 (moved for good), 302 (moved for now), \
             305 (use this proxy) or 380 (alternative service)"
        )),
        _ => Err(format!("{code} is not a redirect; expected 300, 301, 302, 305 or 380")),
    }
}

/// Checks the status of a refusal.
pub(super) fn refusal(code: u16) -> Result<u16, String> {
    let why = match code {
        300..400 => {
            return Err(format!("{code} is a redirect; expected the status of a refusal, such as 404"));
        }
        400 | 413 | 414 | 415 | 416 | 505 | 513 => {
            "it is about the bytes of a request, and the server gives it by itself"
        }
        401 | 407 | 494 => "it asks for credentials, which a stateless server cannot check",
        405 | 406 | 420 | 421 | 423 | 489 | 501 => "the server gives it by itself where the RFCs ask for it",
        408 | 487 | 491 | 500 | 502 | 504 => "it tells how a call went on, and no call goes on here",
        481..=483 => "it is about a dialog or the path of the request, not about where a call goes",
        485 => "it needs a list of Contacts; use 300",
        422 | 412 | 417 | 429 | 440 | 469 | 493 | 580 => {
            "it belongs to an extension that a redirect server has no part in"
        }
        403 | 404 | 402 | 410 | 428 | 430 | 433 | 436 | 437 | 438 | 439 | 470 | 480 | 484 | 486 | 488
        | 503 | 600 | 603 | 604 | 606 | 607 | 608 => return Ok(code),
        400..700 => "it is not a registered status",
        _ => "it is not the status of a refusal",
    };
    Err(format!(
        "{code} cannot be a route's answer: {why}; use one such as 403, 404, 410, 480, 484, 503 or 603"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_the_readme_are_allowed() {
        assert!([300, 301, 302, 305, 380].into_iter().all(|code| redirect(code) == Ok(code)));
        assert!([403, 404, 410, 480, 484, 503, 603].into_iter().all(|code| refusal(code) == Ok(code)));
    }

    #[test]
    fn every_other_code_is_refused_with_a_reason() {
        for code in (0..=1000).filter(|code| redirect(*code).is_err() && refusal(*code).is_err()) {
            assert!(refusal(code).expect_err("reason").len() > 40, "{code}");
            assert!(redirect(code).expect_err("reason").len() > 20, "{code}");
        }
        assert!((0..=1000).all(|code| redirect(code).is_err() || refusal(code).is_err()));
        assert!(
            [
                100, 180, 199, 200, 299, 303, 304, 307, 401, 405, 407, 408, 409, 411, 413, 415, 420, 421,
                481, 485, 501, 505, 699, 700
            ]
            .iter()
            .all(|&code| refusal(code).is_err())
        );
    }
}
