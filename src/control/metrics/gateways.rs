//! Outside. From what is known of gateways to metric families.

use prometheus::proto::MetricFamily;

use super::collect::{family, float, single};
use crate::{control::health::Numbers, limits::GATEWAY_LABELS_MAX};

/// The families of gateways.
pub(super) fn families(numbers: &Numbers) -> Vec<MetricFamily> {
    let Numbers { gateways, probes, to_down, to_up } = numbers;
    let down = gateways.iter().filter(|(_, is_up)| !is_up).count();
    // All or none: a part of them would look like all.
    let named = if gateways.len() > GATEWAY_LABELS_MAX { &[] } else { gateways.as_slice() };
    let up = named.iter().map(|(name, is_up)| (vec![&**name], if *is_up { 1.0 } else { 0.0 }));
    let down = u64::try_from(down).unwrap_or(u64::MAX);
    vec![
        family(&super::GATEWAY_UP, up),
        single(&super::GATEWAYS_DOWN, float(down)),
        family(&super::GATEWAY_PROBES, probes.iter().map(|(result, count)| (vec![*result], float(*count)))),
        family(
            &super::GATEWAY_CHANGES,
            [("down", to_down), ("up", to_up)].map(|(to, count)| (vec![to], float(*count))),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: usize) -> Vec<MetricFamily> {
        let gateways = (0..count).map(|number| (format!("g{number}").into(), number != 0)).collect();
        families(&Numbers { gateways, probes: [("", 0); 8], to_down: 1, to_up: 0 })
    }

    #[test]
    fn there_is_one_for_each_gateway_or_for_none() {
        let lines = |count| of(count)[0].get_metric().len();
        assert_eq!(
            (lines(0), lines(GATEWAY_LABELS_MAX), lines(GATEWAY_LABELS_MAX + 1)),
            (0, GATEWAY_LABELS_MAX, 0)
        );
        assert_eq!(
            of(GATEWAY_LABELS_MAX + 1)[1].get_metric()[0].get_gauge().get_value(),
            1.0,
            "that one is down is told"
        );
    }
}
