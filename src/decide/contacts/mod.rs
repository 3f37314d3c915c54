//! Pure. The Contact list of an answer: targets expanded, rendered, judged, ranked.
//!
//! In:    the targets of a route, in order of preference.
//! Out:   Contacts in `work.contacts`, best first, with strictly decreasing q; or questions for DNS.
//! Never: a Contact twice, one equal to the Request-URI (RFC 3261 §8.3), or one that names ourselves.

use std::{cell::Cell, ops::Range};

use super::{
    Trace,
    call::{Call, View},
    condition::into_temp,
    scratch::{Contact, Item, ItemKind, Span, Work},
    stable::choice_draw,
    user_part,
    weigh::order_members,
};
use crate::{
    dns::{Ask, Found, Together},
    route::{
        Answer, AnswerTarget, ContactTemplate, ContactsOfColumn, Down, FixedContact, GatewayId, GroupId,
        LeastCost, NumberIn, RouteId, RowTarget, SealedContacts, Template, UriTemplate, deck,
        is_plain_number, micro_of,
    },
    sip::{Destination, Uri, place_in},
};

mod fit;
mod located;

/// Fills the Contact list of the answer of a route, without gateways that are `down`; what follows it as it was sealed.
/// Questions come back when DNS must be asked first.
pub(super) fn collect<'a, T: Trace>(
    (answer, id): (&'a Answer, RouteId),
    down: &Down,
    call: &Call<'a>,
    work: &mut Work,
    trace: &mut T,
) -> Result<Option<SealedEnd<'a>>, Ask> {
    work.items.clear();
    let known = Known::of::<T>(call, work);
    let sealed = call.context.table.sealed.get(id).and_then(Option::as_deref);
    let mut list = List { answer, down, call, work, trace, known };
    let front = sealed.filter(|sealed| sealed.has_front()).and_then(|sealed| list.front_of(answer, sealed));
    for (at, target) in answer.targets.iter().enumerate() {
        if let Some(sealed) = sealed.filter(|sealed| sealed.first == at + usize::from(front.is_some()))
            && let Some(number) = list.number_for(sealed, at)
        {
            return Ok(Some(SealedEnd { front, sealed, number }));
        }
        match target {
            AnswerTarget::Uri(contact) => list.add_template(contact),
            AnswerTarget::Gateway(gateway) => list.add_gateway(*gateway),
            AnswerTarget::Group(group) => list.add_group(*group),
            AnswerTarget::LeastCost(wanted) => list.add_cheapest(wanted),
            AnswerTarget::Locate(uri) => list.giving_back(|list| list.add_located(uri)),
        }
    }
    if !list.work.items.is_empty() {
        list.add_items()?;
    }
    Ok(None)
}

/// The end of a Contact list that is known but for the number, and the number.
#[derive(Clone, Copy)]
pub(super) struct SealedEnd<'s> {
    /// The only Contact before it, when that is not in `work.contacts`.
    pub(super) front: Option<Front<'s>>,
    pub(super) sealed: &'s SealedContacts,
    pub(super) number: Span,
}

/// A Contact that is known but for the number, and the number.
#[derive(Clone, Copy)]
pub(super) struct Front<'s> {
    pub(super) contact: &'s FixedContact,
    pub(super) number: Span,
}

/// Adds what ENUM found, as it is. Whether that was taken: all at once may have to come one by one.
pub(super) fn add_found<T: Trace>(
    found: Found<'_, '_>,
    answer: &Answer,
    call: &Call<'_>,
    work: &mut Work,
    trace: &mut T,
) -> bool {
    let mut list = List { answer, down: Down::NONE, call, work, trace, known: Known::default() };
    match found {
        Found::All(all) => return list.add_all(all),
        Found::Leading(uri, destination) => list.add_leading_to(destination, uri),
        Found::Uri(uri, read) => list.add_found(uri, Some(read)),
        Found::Text(uri) => list.add_found(uri, Uri::parse(uri).as_ref()),
    }
    true
}

/// What Contacts that are known but for the number can be made of.
#[derive(Clone, Copy, Default)]
struct Known {
    /// Whether any can.
    any: bool,
    /// The number, when it stands in a URI as it is.
    number: Option<Span>,
    /// The same when it is all that there is of the user part.
    user: Option<Span>,
}

impl Known {
    fn of<T: Trace>(call: &Call<'_>, work: &Work) -> Self {
        // Whoever traces sees each Contact rendered; so does a decision whose memory may run out.
        if T::ON || !work.has_room_for_contacts() {
            return Self::default();
        }
        let is_plain = |number: &Span| work.number_is_plain || is_plain_number(work.bytes(*number));
        let number = work.number.filter(is_plain);
        let has_params = !work.params.is_empty() || call.uri.user_params().next().is_some();
        Self { any: true, number, user: number.filter(|_| !has_params) }
    }

    /// What stands in a Contact of this kind.
    fn between(self, kind: NumberIn) -> Option<Span> {
        match kind {
            NumberIn::Nothing => self.any.then(Span::default),
            NumberIn::User => self.number,
            NumberIn::UserOfCall => self.user,
        }
    }
}

/// Why nothing more can be kept.
const TOO_MUCH: &str = "too much to render";
/// Why an address is not used.
const DENIED: &str = "its address is in a range of dns.deny_answers";

struct List<'l, 'a, T> {
    answer: &'l Answer,
    down: &'l Down,
    call: &'l Call<'a>,
    work: &'l mut Work,
    trace: &'l mut T,
    known: Known,
}

impl<T: Trace> List<'_, '_, T> {
    fn add_template(&mut self, contact: &ContactTemplate) {
        let fixed = contact.fixed.as_ref().or_else(|| self.of_row(contact.of_column.as_ref()?));
        if !self.add_fixed(fixed, contact.q_milli) {
            self.giving_back(|list| list.add_template_uri(contact));
        }
    }

    /// What was made of the value that the row of this call has.
    fn of_row<'c>(&self, contacts: &'c ContactsOfColumn) -> Option<&'c FixedContact> {
        let row = self.work.hits.get(contacts.table).copied().flatten()?;
        contacts.of_row(self.call.context.table.tables.get(contacts.table)?, row)
    }

    fn add_template_uri(&mut self, contact: &ContactTemplate) {
        let call = self.call;
        let user = if contact.uri.has_user() {
            None
        } else {
            match user_part::compose(call, None, self.work) {
                Ok(user) => user,
                Err(why) => return self.drop_contact(b"", why),
            }
        };
        let (q_milli, expires_s) = (contact.q_milli, contact.expires_s);
        self.add_rendered(&contact.uri, user, ItemKind::Uri { q_milli }, expires_s);
    }

    fn add_gateway(&mut self, id: GatewayId) {
        if self.down.has(id) {
            return self.leave_out(id);
        }
        let fixed = self.call.context.table.fixed.get(id);
        if !self.add_fixed(fixed.and_then(Option::as_ref), None) {
            self.giving_back(|list| list.add_gateway_uri(id));
        }
    }

    /// Adds a Contact by putting the number into what was rendered when routes were loaded. `false` says nothing:
    /// then it is to be made step by step.
    fn add_fixed(&mut self, fixed: Option<&FixedContact>, q_milli: Option<u16>) -> bool {
        let Some(fixed) = fixed else { return false };
        let has_place = self.work.items.is_empty() && self.work.contacts.len() < self.answer.contacts_max;
        let Some(number) = self.number_in(fixed).filter(|_| has_place) else { return false };
        let before_number = fixed.before_number();
        let Some(uri) = self.work.keep_around(before_number, number, fixed.behind_number()) else {
            return false;
        };
        let host_start = before_number.len() + number.len() + b"@".len();
        let host = host_start..host_start + fixed.host().len();
        self.push(uri, host, q_milli, fixed.expires_s);
        true
    }

    /// The number with which this may stand in the list as it was rendered.
    fn number_in(&self, fixed: &FixedContact) -> Option<Span> {
        let number = self.known.between(fixed.number)?.from(fixed.strip);
        (fixed.has_room_for(number.len())
            && fit::is_fit(fixed.host(), fixed.next_hop(), self.call, self.work))
        .then_some(number)
    }

    /// The only Contact before the end of the list, when it has a value of the row of this call. `None` says nothing: then it is
    /// to be added.
    // Inlined, it would take registers from lists without one.
    #[inline(never)]
    fn front_of<'s>(&self, answer: &'s Answer, sealed: &SealedContacts) -> Option<Front<'s>> {
        let AnswerTarget::Uri(contact) = answer.targets.first()? else { return None };
        let contact = self.of_row(contact.of_column.as_ref()?)?;
        let number = self.number_in(contact).filter(|_| !sealed.may_have(contact.host()))?;
        Some(Front { contact, number })
    }

    /// The number with which the end of the list can follow as it was sealed, behind so many Contacts that were added. `None` says
    /// nothing: then each is to be added by itself.
    fn number_for(&self, sealed: &SealedContacts, added: usize) -> Option<Span> {
        let number = self.known.between(sealed.number)?;
        let has_place = self.work.items.is_empty() && self.work.contacts.len() == added;
        let is_up = self.down.is_empty() || !sealed.gateways.iter().any(|gateway| self.down.has(*gateway));
        (has_place
            && is_up
            && sealed.has_room_for(number.len())
            && fit::are_fit(sealed, self.call, self.work))
        .then_some(number)
    }

    #[cold]
    fn leave_out(&mut self, id: GatewayId) {
        self.work.left_out_down = true;
        self.trace.down(id);
    }

    fn tell_down(&mut self, carrier: RowTarget) {
        match carrier {
            RowTarget::Gateway(gateway) => self.trace.down(gateway),
            RowTarget::Group(group) => {
                let group = self.call.context.table.groups.get(group);
                let members = group.map(|group| group.members.as_slice()).unwrap_or_default();
                members.iter().for_each(|member| self.trace.down(member.gateway));
            }
        }
    }

    /// A Contact that is dropped gives back what was rendered for it.
    fn giving_back(&mut self, add: impl FnOnce(&mut Self)) {
        let (mark, before) = (self.work.mark(), (self.work.contacts.len(), self.work.items.len()));
        add(self);
        if (self.work.contacts.len(), self.work.items.len()) == before {
            self.work.give_back(mark);
        }
    }

    fn add_gateway_uri(&mut self, id: GatewayId) {
        let call = self.call;
        let Some(gateway) = call.context.table.gateways.get(id) else { return };
        let user = if gateway.uri.has_user() {
            None
        } else {
            match user_part::compose(call, Some(gateway), self.work) {
                Ok(user) => user,
                Err(why) => return self.drop_contact(gateway.name.as_bytes(), why),
            }
        };
        let kind = if gateway.resolve { ItemKind::Locate } else { ItemKind::Uri { q_milli: None } };
        self.add_rendered(&gateway.uri, user, kind, gateway.expires_s);
    }

    fn add_group(&mut self, id: GroupId) {
        let Some(group) = self.call.context.table.groups.get(id) else { return };
        order_members(group, self.call.draw(), self.work);
        for index in 0..self.work.order.len() {
            if let Some(&gateway) = self.work.order.get(index) {
                self.add_gateway(gateway);
            }
        }
    }

    fn add_cheapest(&mut self, lcr: &LeastCost) {
        let call = self.call;
        let Some(table) = call.context.table.tables.get(lcr.table) else { return };
        let cost_max_micro = self.cost_max_micro(lcr);
        let customer = lcr.customer.as_ref().and_then(|customer| self.rendered(customer));
        if !into_temp(self.work, |work, out| lcr.key.render(&View { call, work }, out)) {
            return;
        }
        let mut offers = std::mem::take(&mut self.work.offers);
        offers.clear();
        let wanted = deck::Wanted {
            count_max: lcr.count_max,
            cost_max_micro,
            quality_min_micro: lcr.quality_min_micro,
            blocked: &lcr.blocked,
            customer: customer.map_or(&[], |customer| self.work.bytes(customer)),
            unix_s: call.context.unix_s,
            near: call.context.near_in(lcr.table),
        };
        let tie = |row| choice_draw(call.draw(), table.name().as_bytes(), u64::from(row));
        let (left_out, told) = (Cell::new(false), Cell::new(Vec::new()));
        let is_down = |target| {
            let is_down = self.down.has_all_of(target, call.context.table);
            if is_down {
                left_out.set(true);
                if T::ON {
                    let before: Vec<RowTarget> = told.take();
                    told.set(before.into_iter().chain([target]).collect());
                }
            }
            is_down
        };
        deck::cheapest(table, &self.work.temp, &wanted, &tie, &is_down, &mut offers);
        self.work.left_out_down |= left_out.get();
        if T::ON {
            offers.iter().for_each(|offer| self.trace.looked_up(lcr.table, &self.work.temp, Some(offer.row)));
        }
        told.take().into_iter().for_each(|target| self.tell_down(target));
        for offer in &offers {
            match offer.target {
                RowTarget::Gateway(gateway) => self.add_gateway(gateway),
                RowTarget::Group(group) => self.add_group(group),
            }
        }
        self.work.offers = offers;
    }

    /// The most that a carrier may cost: the route's own limit, and what the margin leaves of the price.
    fn cost_max_micro(&mut self, lcr: &LeastCost) -> Option<u64> {
        let price = lcr.price.as_ref().and_then(|price| self.rendered(price));
        let price_micro = price.and_then(|price| micro_of(self.work.bytes(price)).ok());
        let left_micro = price_micro.map(|price_micro| {
            let kept = u128::from(1000_u16.saturating_sub(lcr.margin_milli));
            u64::try_from(u128::from(price_micro) * kept / 1000).unwrap_or(u64::MAX)
        });
        [lcr.cost_max_micro, left_micro].into_iter().flatten().min()
    }

    /// A rendered template, kept.
    fn rendered(&mut self, template: &Template) -> Option<Span> {
        let call = self.call;
        into_temp(self.work, |work, out| template.render(&View { call, work }, out))
            .then(|| self.work.keep_temp())
            .flatten()
    }

    fn add_located(&mut self, template: &UriTemplate) {
        let user = if template.has_user() {
            None
        } else {
            match user_part::compose(self.call, None, self.work) {
                Ok(user) => user,
                Err(why) => return self.drop_contact(b"", why),
            }
        };
        self.add_rendered(template, user, ItemKind::Locate, None);
    }

    fn add_rendered(
        &mut self,
        template: &UriTemplate,
        user: Option<Span>,
        kind: ItemKind,
        expires_s: Option<u32>,
    ) {
        if !self.render(template, user) {
            return self.drop_contact(b"", "a value of its URI is missing or cannot stand there");
        }
        match kind {
            ItemKind::Uri { q_milli } if self.work.items.is_empty() => {
                let uri = std::mem::take(&mut self.work.temp);
                self.add(&uri, q_milli, expires_s);
                self.work.temp = uri;
            }
            // What stands behind a host that is to be located waits with it, for the order of the list.
            _ => match self.work.keep_temp() {
                Some(uri) => self.work.items.push(Item { uri, kind, expires_s }),
                None => self.drop_contact(b"", TOO_MUCH),
            },
        }
    }

    fn render(&mut self, template: &UriTemplate, user: Option<Span>) -> bool {
        let call = self.call;
        into_temp(self.work, |work, out| {
            let user = user.map(|user| work.bytes(user));
            template.render(&View { call, work }, call.uri.scheme, user, out)
        })
    }

    fn add(&mut self, uri: &[u8], q_milli: Option<u16>, expires_s: Option<u32>) {
        // One that has no place need not be read.
        let read = if self.is_full() { None } else { Uri::parse(uri) };
        self.add_read(uri, read.as_ref(), q_milli, expires_s);
    }

    /// Adds all URIs of a number, if each may stand in the list as it is, and there is nothing else to be said of them.
    fn add_all(&mut self, all: Together<'_>) -> bool {
        let text = all.text();
        let is_fit = |(place, destination): (Range<usize>, &Destination)| {
            let uri = text.get(place).unwrap_or_default();
            fit::is_fit(destination.host(uri), destination.next_hop(uri), self.call, self.work)
        };
        // Whoever traces sees each of them.
        if T::ON || self.work.contacts.len() + all.len() > self.answer.contacts_max || !all.each().all(is_fit)
        {
            return false;
        }
        let Some(kept) = self.work.keep(text) else { return false };
        for (place, destination) in all.each() {
            let uri = text.get(place.clone()).unwrap_or_default();
            let host = place_in(uri, destination.host(uri));
            self.push(kept.part(place), host, None, None);
        }
        true
    }

    /// Adds a URI that leads to a name.
    fn add_leading_to(&mut self, destination: &Destination, uri: &[u8]) {
        let host = destination.host(uri);
        let is_fit = || fit::is_fit(host, destination.next_hop(uri), self.call, self.work);
        if self.is_full() || !is_fit() {
            return self.add_found(uri, Uri::parse(uri).as_ref());
        }
        self.keep_and_push((uri, place_in(uri, host)), None, None);
    }

    /// Adds a URI that ENUM found; `read` is what was read of it.
    fn add_found(&mut self, uri: &[u8], read: Option<&Uri<'_>>) {
        if read.is_some_and(|read| fit::is_denied(read, self.call)) {
            return self.drop_contact(uri, DENIED);
        }
        self.add_read(uri, read, None, None);
    }

    /// Adds a URI; `read` is what was read of it.
    fn add_read(&mut self, uri: &[u8], read: Option<&Uri<'_>>, q_milli: Option<u16>, expires_s: Option<u32>) {
        if self.is_full() {
            self.work.trimmed = self.work.trimmed.saturating_add(1);
            return;
        }
        match fit::host_of_fit(uri, read, self.call, self.work) {
            Ok(host) => self.keep_and_push((uri, host), q_milli, expires_s),
            Err(why) => self.drop_contact(uri, why),
        }
    }

    /// Puts a URI that may be a Contact, and has its host there, at the end of the list.
    fn keep_and_push(
        &mut self,
        (uri, host): (&[u8], Range<usize>),
        q_milli: Option<u16>,
        expires_s: Option<u32>,
    ) {
        let Some(span) = self.work.keep(uri) else {
            return self.drop_contact(uri, TOO_MUCH);
        };
        let q_milli = self.push(span, host, q_milli, expires_s);
        self.trace.contact(uri, q_milli);
    }

    fn is_full(&self) -> bool {
        self.work.contacts.len() >= self.answer.contacts_max
    }

    /// Puts a URI that may be a Contact at the end of the list; its q.
    fn push(&mut self, uri: Span, host: Range<usize>, q_milli: Option<u16>, expires_s: Option<u32>) -> u16 {
        let last = self.work.contacts.last().map(|last| last.q_milli);
        let q_milli = self.call.context.table.defaults.next_q(last, q_milli);
        let expires_s = expires_s.or(self.answer.expires_s);
        self.work.contacts.push(Contact { uri, host: uri.part(host), q_milli, expires_s });
        q_milli
    }

    fn drop_contact(&mut self, uri: &[u8], why: &'static str) {
        self.work.dropped = self.work.dropped.saturating_add(1);
        self.trace.dropped(uri, why);
    }
}
