//! The rdkafka crate against a cluster, a row of the client table: `rdkafka BOOTSTRAP PREFIX`. What each capability
//! means is in `tests/clients/README.md`; it prints a line for each: name, ok or no, a note.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its lines are what it is for")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::error::Error;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, DefaultConsumerContext};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

type Done<T = String> = Result<T, Box<dyn Error>>;
type Settings<'a> = &'a [(&'a str, &'a str)];

struct Client {
    bootstrap: String,
    prefix: String,
}

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(bootstrap), Some(prefix)) = (args.next(), args.next()) else {
        eprintln!("usage: rdkafka BOOTSTRAP PREFIX");
        std::process::exit(64);
    };
    let client = Client { bootstrap, prefix };
    println!("version\t0.39 (librdkafka {})", rdkafka::util::get_rdkafka_version().1);
    report("produce", client.produce());
    report("group", client.group());
    report("resume", client.resume());
    report("idempotent", client.idempotent());
    report("transactions", client.transactions());
    report("admin", client.admin());
}

fn report(name: &str, done: Done) {
    match done {
        Ok(note) => println!("{name}\tok\t{note}"),
        Err(why) => println!("{name}\tno\t{}", why.to_string().split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Done<()> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: found {found:?}, wanted {wanted:?}").into()) }
}

fn until(what: &str, mut is: impl FnMut() -> Done<bool>) -> Done<()> {
    let deadline = Instant::now() + PATIENCE;
    while !is()? {
        if Instant::now() > deadline {
            return Err(format!("in vain waited for {what}").into());
        }
    }
    Ok(())
}

impl Client {
    fn produce(&self) -> Done {
        let topic = self.topic("produce", 2, &[])?;
        let mut sent = BTreeSet::new();
        for codec in CODECS {
            for acks in ["0", "1", "all"] {
                let values: Vec<String> = (0..20).map(|n| format!("{codec}-{acks}-{n}").repeat(20)).collect();
                let producer: BaseProducer = self.config(&[("compression.codec", codec), ("acks", acks)]).create()?;
                for value in &values {
                    let headers = OwnedHeaders::new().insert(Header { key: "codec", value: Some(codec) });
                    let record = BaseRecord::to(&topic).key(codec).payload(value).headers(headers);
                    producer.send(record).map_err(|(error, _)| error)?;
                }
                producer.flush(PATIENCE)?;
                sent.extend(values);
            }
        }
        let records = self.read_all(&topic, 2, sent.len(), &[])?;
        same("values", &records.iter().map(text).collect::<BTreeSet<_>>(), &sent)?;
        for record in &records {
            let key = record.key().unwrap_or_default();
            let header = record.headers().map(|headers| headers.get(0).value.unwrap_or_default());
            same("header", &header, &Some(key))?;
            same("prefix", &text(record).as_bytes().starts_with(key), &true)?;
        }
        Ok(format!("codecs {}", CODECS.join(" ")))
    }

    fn group(&self) -> Done {
        for strategy in ["range", "cooperative-sticky"] {
            self.rebalance(strategy)?;
        }
        Ok("range, cooperative-sticky".to_owned())
    }

    fn rebalance(&self, strategy: &str) -> Done<()> {
        let topic = self.topic(&format!("group-{strategy}"), 4, &[])?;
        let producer: BaseProducer = self.config(&[]).create()?;
        for n in 0..400 {
            let value = n.to_string();
            producer.send(BaseRecord::<(), _>::to(&topic).payload(&value).partition(n % 4)).map_err(|(e, _)| e)?;
        }
        producer.flush(PATIENCE)?;
        let settings = [("partition.assignment.strategy", strategy)];
        let group = format!("group-{strategy}");
        let (one, two) = (self.consumer(&group, &settings)?, self.consumer(&group, &settings)?);
        let seen = RefCell::new(BTreeSet::new());
        let owned = |consumer: &BaseConsumer| -> Done<Vec<i32>> {
            if let Some(record) = consumer.poll(POLL) {
                seen.borrow_mut().insert(text(&record?.detach()));
            }
            Ok(consumer.assignment()?.elements().iter().map(|part| part.partition()).collect())
        };
        one.subscribe(&[&topic])?;
        until("all partitions at one", || Ok(owned(&one)?.len() == 4))?;
        two.subscribe(&[&topic])?;
        until("two partitions each", || {
            let (first, second) = (owned(&one)?, owned(&two)?);
            let all: BTreeSet<i32> = first.iter().chain(&second).copied().collect();
            Ok(first.len() == 2 && second.len() == 2 && all.len() == 4)
        })?;
        drop(two);
        until("all partitions at one again", || Ok(owned(&one)?.len() == 4))?;
        until("every record", || {
            owned(&one)?;
            Ok(seen.borrow().len() == 400)
        })
    }

    fn resume(&self) -> Done {
        let topic = self.topic("resume", 1, &[])?;
        self.send(&topic, &numbered(100), &[])?;
        for start in [0, 50] {
            let consumer = self.consumer("resume", &[])?;
            consumer.subscribe(&[&topic])?;
            let records = read(&consumer, 50)?;
            same("first offset", &records[0].offset(), &start)?;
            let mut position = TopicPartitionList::new();
            position.add_partition_offset(&topic, 0, Offset::Offset(start + 50))?;
            consumer.commit(&position, CommitMode::Sync)?;
        }
        same("committed", &self.committed("resume", &topic)?, &Offset::Offset(100))?;
        Ok(String::new())
    }

    fn idempotent(&self) -> Done {
        let topic = self.topic("idempotent", 1, &[])?;
        self.send(&topic, &numbered(500), &[("enable.idempotence", "true")])?;
        let records = self.read_all(&topic, 1, 500, &[])?;
        same("values", &records.iter().map(text).collect::<Vec<_>>(), &numbered(500))?;
        Ok(String::new())
    }

    fn transactions(&self) -> Done {
        let (topic, source) = (self.topic("transactions", 1, &[])?, self.topic("source", 1, &[])?);
        let reader = self.consumer("source", &[])?;
        let id = format!("{}-writer", self.prefix);
        let producer: BaseProducer = self.config(&[("transactional.id", &id)]).create()?;
        producer.init_transactions(PATIENCE)?;
        let mut all = Vec::new();
        for number in 0..3 {
            producer.begin_transaction()?;
            for value in (0..10).map(|n| format!("{number}-{n}")) {
                producer.send(BaseRecord::<(), _>::to(&topic).payload(&value)).map_err(|(error, _)| error)?;
                all.push(value);
            }
            let mut position = TopicPartitionList::new();
            position.add_partition_offset(&source, 0, Offset::Offset(number + 1))?;
            let group = reader.group_metadata().ok_or("no group metadata")?;
            producer.send_offsets_to_transaction(&position, &group, PATIENCE)?;
            producer.flush(PATIENCE)?;
            if number == 1 { producer.abort_transaction(PATIENCE)? } else { producer.commit_transaction(PATIENCE)? }
        }
        let committed: Vec<String> = all.iter().filter(|value| !value.starts_with('1')).cloned().collect();
        for (level, wanted) in [("read_committed", &committed), ("read_uncommitted", &all)] {
            let records = self.read_all(&topic, 1, wanted.len(), &[("isolation.level", level)])?;
            same(level, &records.iter().map(text).collect::<Vec<_>>(), wanted)?;
        }
        same("position", &self.committed("source", &source)?, &Offset::Offset(3))?;
        Ok(String::new())
    }

    fn admin(&self) -> Done {
        let topic = self.topic("admin", 1, &[("retention.ms", "1000000")])?;
        let admin = self.administrator()?;
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let resource = ResourceSpecifier::Topic(&topic);
        let retention = || -> Done<Option<String>> {
            let described = wait(admin.describe_configs([&resource], &options))?.remove(0)?;
            Ok(described.get("retention.ms").and_then(|entry| entry.value.clone()))
        };
        same("retention", &retention()?, &Some("1000000".to_owned()))?;
        wait(admin.alter_configs(&[AlterConfig::new(resource).set("retention.ms", "2000000")], &options))?
            .remove(0)
            .map_err(|(_, error)| error)?;
        until("the altered config", || Ok(retention()?.as_deref() == Some("2000000")))?;
        wait(admin.create_partitions(&[NewPartitions::new(&topic, 3)], &options))?.remove(0).map_err(|(_, e)| e)?;
        let partitions = || -> Done<usize> {
            let metadata = admin.inner().fetch_metadata(None, PATIENCE)?;
            let found = metadata.topics().iter().find(|known| known.name() == topic);
            Ok(found.map_or(0, |topic| topic.partitions().len()))
        };
        until("three partitions", || Ok(partitions()? == 3))?;
        let consumer = self.consumer("admin", &[])?;
        self.send(&topic, &numbered(1), &[])?;
        consumer.subscribe(&[&topic])?;
        read(&consumer, 1)?;
        consumer.commit_consumer_state(CommitMode::Sync)?;
        let group = format!("{}-admin", self.prefix);
        let listed = || -> Done<Option<String>> {
            let list = consumer.fetch_group_list(Some(&group), PATIENCE)?;
            Ok(list.groups().first().map(|group| group.state().to_owned()))
        };
        same("state", &listed()?, &Some("Stable".to_owned()))?;
        consumer.unsubscribe();
        until("an empty group", || {
            drop(consumer.poll(POLL));
            Ok(listed()?.as_deref() == Some("Empty"))
        })?;
        wait(admin.delete_groups(&[&group], &options))?.remove(0).map_err(|(_, error)| error)?;
        wait(admin.delete_topics(&[&topic], &options))?.remove(0).map_err(|(_, error)| error)?;
        until("the topic to go", || Ok(partitions()? == 0))?;
        Ok(String::new())
    }

    fn config(&self, more: Settings<'_>) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config.extend(pairs(more));
        config
    }

    fn consumer(&self, group: &str, more: Settings<'_>) -> Done<BaseConsumer<DefaultConsumerContext>> {
        let group = format!("{}-{group}", self.prefix);
        let common = [
            ("group.id", group.as_str()),
            ("auto.offset.reset", "earliest"),
            ("enable.auto.commit", "false"),
            ("session.timeout.ms", "6000"),
            ("heartbeat.interval.ms", "300"),
        ];
        let mut config = self.config(&common);
        config.extend(pairs(more));
        Ok(config.create()?)
    }

    fn administrator(&self) -> Done<AdminClient<DefaultClientContext>> {
        Ok(self.config(&[]).create()?)
    }

    fn topic(&self, name: &str, partitions: i32, settings: Settings<'_>) -> Done {
        let name = format!("{}-{name}", self.prefix);
        let mut topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(3));
        for (setting, value) in settings {
            topic = topic.set(setting, value);
        }
        let created = wait(self.administrator()?.create_topics(&[topic], &AdminOptions::new()))?.remove(0);
        created.map_err(|(_, error)| error)?;
        Ok(name)
    }

    fn send(&self, topic: &str, values: &[String], settings: Settings<'_>) -> Done<()> {
        let producer: BaseProducer = self.config(settings).create()?;
        for value in values {
            producer.send(BaseRecord::<(), _>::to(topic).payload(value)).map_err(|(error, _)| error)?;
        }
        Ok(producer.flush(PATIENCE)?)
    }

    fn read_all(&self, topic: &str, parts: i32, count: usize, settings: Settings<'_>) -> Done<Vec<OwnedMessage>> {
        let consumer = self.consumer("reader", settings)?;
        let mut all = TopicPartitionList::new();
        for partition in 0..parts {
            all.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
        consumer.assign(&all)?;
        let records = read(&consumer, count)?;
        match consumer.poll(Duration::from_secs(1)) {
            None => Ok(records),
            Some(more) => Err(format!("one too many: {:?}", more?.detach()).into()),
        }
    }

    fn committed(&self, group: &str, topic: &str) -> Done<Offset> {
        let mut asked = TopicPartitionList::new();
        asked.add_partition(topic, 0);
        let found = self.consumer(group, &[])?.committed_offsets(asked, PATIENCE)?;
        Ok(found.elements()[0].offset())
    }
}

fn pairs<'a>(settings: Settings<'a>) -> impl Iterator<Item = (String, String)> + 'a {
    settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
}

fn read(consumer: &BaseConsumer, count: usize) -> Done<Vec<OwnedMessage>> {
    let mut records = Vec::new();
    until(&format!("{count} records"), || {
        if let Some(record) = consumer.poll(POLL) {
            records.push(record?.detach());
        }
        Ok(records.len() >= count)
    })?;
    Ok(records)
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| n.to_string()).collect()
}

fn text(record: &OwnedMessage) -> String {
    String::from_utf8_lossy(record.payload().unwrap_or_default()).into_owned()
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for what the admin client promises; its own thread brings it about.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let (mut future, mut context) = (pin!(future), Context::from_waker(&waker));
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
