//! DescribeConfigs (32): effective values of a topic or of this broker, each with its source; of the broker without a
//! name, what is set for all brokers while they run.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};

use super::configs::{BROKER, TOPIC};
use super::wire;
use crate::broker::Broker;
use crate::config::Layers;
use crate::config::properties::{self, Kind, Property};
use crate::config::topic::Source;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{List, Structs, Text};
use crate::server::shape::{BYTE, Shape, always, since};

struct Detail {
    synonyms: bool,
    documentation: bool,
}

/// The body of a request.
pub const SHAPE: Shape = Shape {
    flexible_since: 4,
    fields: &[always(Structs(&[always(BYTE), always(Text), always(List(&Text))])), since(1, BYTE), since(3, BYTE)],
};

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<DescribeConfigsRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let detail = Detail { synonyms: request.include_synonyms, documentation: request.include_documentation };
    let results = request.resources.iter().map(|resource| describe(broker, resource, &detail));
    call.ready::<DescribeConfigsRequest>(&DescribeConfigsResponse::default().with_results(results.collect()))
}

fn describe(broker: &Broker, resource: &DescribeConfigsResource, detail: &Detail) -> DescribeConfigsResult {
    let result = DescribeConfigsResult::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone());
    let configs = match resource.resource_type {
        TOPIC => of_topic(broker, &resource.resource_name, detail),
        BROKER => of_broker(broker, &resource.resource_name, detail),
        _ => Err(ResponseError::InvalidRequest),
    };
    let asked =
        |name: &str| resource.configuration_keys.as_ref().is_none_or(|keys| keys.iter().any(|key| **key == *name));
    match configs {
        Ok(mut configs) => {
            configs.retain(|config| asked(&config.name));
            result.with_configs(configs)
        }
        Err(error) => result.with_error_code(error.code()).with_error_message(Some(wire::text(error.to_string()))),
    }
}

type Described = Result<Vec<DescribeConfigsResourceResult>, ResponseError>;

fn of_topic(broker: &Broker, name: &str, detail: &Detail) -> Described {
    let image = broker.image();
    let overrides = &image.topics.get(name).ok_or(ResponseError::UnknownTopicOrPartition)?.configs;
    let all = properties::topic_properties().filter_map(|property| Some((property, property.topic?)));
    let layers = Layers::of(&broker.config, &image).with_topic(overrides);
    Ok(all.map(|(property, name)| topic_config(layers, property, name, detail)).collect())
}

fn topic_config(
    layers: Layers<'_>,
    property: &'static Property,
    name: &str,
    detail: &Detail,
) -> DescribeConfigsResourceResult {
    let (value, source) = layers.effective(name);
    let mut synonyms = Vec::new();
    if source == Source::Topic {
        synonyms.push(synonym(name, value, source));
    }
    let inherited = layers.all_inherited(property).into_iter();
    synonyms.extend(inherited.map(|(value, source)| synonym(property.name, value, source)));
    let config = config(property, name, (value, source), detail);
    if detail.synonyms { config.with_synonyms(synonyms) } else { config }
}

fn of_broker(broker: &Broker, name: &str, detail: &Detail) -> Described {
    let image = broker.image();
    let layers = Layers::of(&broker.config, &image);
    let of_all = name.is_empty();
    if !of_all && name != broker.config.node.to_string() {
        return Err(ResponseError::InvalidRequest);
    }
    let all = properties::TABLE.iter().filter_map(|property| {
        let mut found = layers.all_inherited(property);
        found.retain(|(_, source)| !of_all || *source == Source::Cluster);
        let strongest = *found.first()?;
        let described = config(property, property.name, strongest, detail).with_read_only(!property.is_dynamic());
        let synonyms = found.iter().filter(|_| detail.synonyms);
        let synonyms = synonyms.map(|(value, source)| synonym(property.name, value, *source));
        Some(described.with_synonyms(synonyms.collect()))
    });
    Ok(all.collect())
}

fn config(
    property: &Property,
    name: &str,
    (value, source): (&str, Source),
    detail: &Detail,
) -> DescribeConfigsResourceResult {
    let kind = match property.kind {
        Kind::Bool => 1,
        Kind::Text | Kind::Choice(_) => 2,
        Kind::Int(_) => 3,
        Kind::Long(_) => 5,
        Kind::Ratio => 6,
        Kind::List | Kind::Choices(_) => 7,
    };
    DescribeConfigsResourceResult::default()
        .with_name(wire::text(name))
        .with_value(Some(wire::text(value)))
        .with_config_source(source as i8)
        .with_config_type(kind)
        .with_documentation(detail.documentation.then(|| wire::text(property.doc)))
}

fn synonym(name: &str, value: &str, source: Source) -> DescribeConfigsSynonym {
    let synonym = DescribeConfigsSynonym::default().with_name(wire::text(name));
    synonym.with_value(Some(wire::text(value))).with_source(source as i8)
}
