//! ApiVersions (18): which APIs are offered in which versions.
//!
//! A version nobody knows is answered in version 0 with UNSUPPORTED_VERSION and the list (KIP-511), so that a newer
//! client can try again. The response header is version 0 always; the codec knows.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

use super::TABLE;
use crate::broker::Broker;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::Text;
use crate::server::shape::{Shape, since};

/// The body of a request.
pub const SHAPE: Shape = Shape { flexible_since: 3, fields: &[since(3, Text), since(3, Text)] };

/// Answers a call.
pub fn handle(_: &Arc<Broker>, mut call: Call) -> Reply {
    match call.decode::<ApiVersionsRequest>() {
        Ok(_) => call.ready::<ApiVersionsRequest>(&response(0)),
        Err(error) => Reply::Close(error),
    }
}

pub fn unsupported(call: &Call) -> Reply {
    let response = response(ResponseError::UnsupportedVersion.code());
    call.encode_as(&response, 0).map_or_else(Reply::Close, Reply::Ready)
}

fn response(error_code: i16) -> ApiVersionsResponse {
    let offered = TABLE.iter().map(|api| {
        let (min, max) = api.offered;
        ApiVersion::default().with_api_key(api.key as i16).with_min_version(min).with_max_version(max)
    });
    ApiVersionsResponse::default().with_error_code(error_code).with_api_keys(offered.collect())
}
