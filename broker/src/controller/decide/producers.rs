//! Producer ids, in blocks, never twice (KIP-730).

use super::View;
use crate::metadata::{
    error::ControllerError,
    record::MetadataRecord,
    rpc::{AllocateProducerIds, ProducerIdBlock},
};

/// Ids in a block.
pub const BLOCK_LEN: i32 = 1000;

/// The next block.
///
/// # Errors
/// [`ControllerError::BrokerNotRegistered`], [`ControllerError::StaleBrokerEpoch`], [`ControllerError::PolicyViolation`] when none is left.
pub fn allocate(
    view: View<'_>,
    ask: &AllocateProducerIds,
) -> Result<(Vec<MetadataRecord>, ProducerIdBlock), ControllerError> {
    view.incarnation(ask.broker, ask.epoch)?;
    let first = view.image.next_producer_id;
    let next = first.checked_add(BLOCK_LEN.into());
    let next = next.ok_or_else(|| ControllerError::PolicyViolation("no producer ids are left".into()))?;
    Ok((vec![MetadataRecord::ProducerIds { next }], ProducerIdBlock { first, len: BLOCK_LEN }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        controller::decide::cluster,
        metadata::ids::{BrokerEpoch, BrokerId},
    };

    #[test]
    fn blocks_follow_each_other_and_a_dead_incarnation_gets_none() {
        let image = cluster::of("1", "");
        let ask = |epoch| AllocateProducerIds { broker: BrokerId(1), epoch: BrokerEpoch(epoch) };
        let (records, block) = allocate(cluster::view(&image), &ask(10)).unwrap();
        assert_eq!(block.first, 0);
        let image = cluster::after(&image, &records);
        assert_eq!(allocate(cluster::view(&image), &ask(10)).unwrap().1.first, 1000);
        assert_eq!(allocate(cluster::view(&image), &ask(9)), Err(ControllerError::StaleBrokerEpoch));
    }
}
