// kafkajs against a cluster. Usage: node kafkajs.js BOOTSTRAP PREFIX; capabilities are defined in README.md.
'use strict'

const assert = require('node:assert/strict')
const { Kafka, CompressionTypes, ConfigResourceTypes, logLevel } = require('kafkajs')

const [bootstrap, prefix] = process.argv.slice(2)
const kafka = new Kafka({ clientId: prefix, brokers: bootstrap.split(','), logLevel: logLevel.ERROR })
const admin = kafka.admin()
const patience = 30_000

const numbered = (count, name = n => String(n)) => Array.from({ length: count }, (_, n) => name(n))
const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

async function until(condition, what) {
  for (const end = Date.now() + patience; !(await condition()); await pause(20)) {
    if (Date.now() > end) throw new Error(`in vain waited for ${what}`)
  }
}

async function topic(name, numPartitions = 1, config = {}) {
  const full = `${prefix}-${name}`
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
  await admin.createTopics({ topics: [{ topic: full, numPartitions, replicationFactor: 3, configEntries }] })
  return full
}

async function produced(topic, messages, { options = {}, send = {} } = {}) {
  const producer = kafka.producer(options)
  await producer.connect()
  await producer.send({ topic, messages, ...send })
  await producer.disconnect()
}

async function member(group, topic, options = {}) {
  const consumer = kafka.consumer({ groupId: `${prefix}-${group}`, sessionTimeout: 6000, heartbeatInterval: 300, ...options })
  const state = { consumer, records: [], partitions: [], stop: Infinity }
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => { state.partitions = payload.memberAssignment[topic] ?? [] })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => {
      if (state.records.length < state.stop) state.records.push({ partition, ...message })
    },
  })
  return state
}

const text = records => records.map(record => record.value.toString())

async function readAll(topic, count, options = {}) {
  const reader = await member(`reader-${count}`, topic, options)
  await until(() => reader.records.length >= count, `${count} records`)
  await pause(1000)
  await reader.consumer.disconnect()
  return reader.records
}

const capabilities = {
  async produce() {
    const name = await topic('produce', 2)
    const sent = []
    for (const codec of ['None', 'GZIP']) {
      for (const acks of [0, 1, -1]) {
        const messages = numbered(20, n => ({ key: codec, value: `${codec}-${acks}-${n}`, headers: { codec } }))
        await produced(name, messages, { send: { acks, compression: CompressionTypes[codec] } })
        sent.push(...messages.map(message => message.value))
      }
    }
    const records = await readAll(name, sent.length)
    assert.deepEqual(text(records).sort(), sent.sort())
    for (const { key, value, headers } of records) {
      assert.ok(value.toString().startsWith(`${key}-`))
      assert.equal(headers.codec.toString(), key.toString())
    }
    return 'codecs none gzip (the others need plug-ins)'
  },

  async group() {
    const name = await topic('group', 4)
    await produced(name, numbered(400, n => ({ value: String(n), partition: n % 4 })))
    const one = await member('group', name)
    await until(() => one.partitions.length === 4, 'all partitions at one')
    const two = await member('group', name)
    await until(() => one.partitions.length === 2 && two.partitions.length === 2, 'two partitions each')
    assert.equal(new Set([...one.partitions, ...two.partitions]).size, 4, 'no partition has two owners')
    await two.consumer.disconnect()
    await until(() => one.partitions.length === 4, 'all partitions at one again')
    const seen = () => new Set([...text(one.records), ...text(two.records)]).size
    await until(() => seen() === 400, 'every record')
    await one.consumer.disconnect()
  },

  async resume() {
    const name = await topic('resume')
    await produced(name, numbered(100, n => ({ value: String(n) })))
    for (const start of [0, 50]) {
      const reader = await member('resume', name)
      reader.stop = 50
      await until(() => reader.records.length >= 50, '50 records')
      const offsets = reader.records.slice(0, 50).map(record => Number(record.offset))
      assert.deepEqual(offsets, numbered(50, n => start + n))
      await reader.consumer.commitOffsets([{ topic: name, partition: 0, offset: String(start + 50) }])
      await reader.consumer.disconnect()
    }
    const [stored] = await admin.fetchOffsets({ groupId: `${prefix}-resume`, topics: [name] })
    assert.equal(stored.partitions[0].offset, '100')
  },

  async idempotent() {
    const name = await topic('idempotent')
    const values = numbered(500)
    await produced(name, values.map(value => ({ value })), { options: { idempotent: true } })
    assert.deepEqual(text(await readAll(name, 500)), values)
  },

  async transactions() {
    const [name, source] = [await topic('transactions'), await topic('source')]
    const producer = kafka.producer({ transactionalId: `${prefix}-writer`, maxInFlightRequests: 1, idempotent: true })
    await producer.connect()
    for (const [number, end] of ['commit', 'abort', 'commit'].entries()) {
      const transaction = await producer.transaction()
      await transaction.send({ topic: name, messages: numbered(10, n => ({ value: `${number}-${n}` })) })
      const partitions = [{ partition: 0, offset: String(number + 1) }]
      await transaction.sendOffsets({ consumerGroupId: `${prefix}-source`, topics: [{ topic: source, partitions }] })
      await transaction[end]()
    }
    await producer.disconnect()
    const values = [0, 1, 2].flatMap(number => numbered(10, n => `${number}-${n}`))
    assert.deepEqual(text(await readAll(name, 20)), values.filter(value => !value.startsWith('1')))
    assert.deepEqual(text(await readAll(name, 30, { readUncommitted: true })), values)
    const [stored] = await admin.fetchOffsets({ groupId: `${prefix}-source`, topics: [source] })
    assert.equal(stored.partitions[0].offset, '3')
  },

  async admin() {
    const name = await topic('admin', 1, { 'retention.ms': '1000000' })
    const resource = { type: ConfigResourceTypes.TOPIC, name }
    const retention = async () => {
      const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] })
      return resources[0].configEntries.find(entry => entry.configName === 'retention.ms').configValue
    }
    assert.equal(await retention(), '1000000')
    const configEntries = [{ name: 'retention.ms', value: '2000000' }]
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] })
    await until(async () => (await retention()) === '2000000', 'the altered config')
    await admin.createPartitions({ topicPartitions: [{ topic: name, count: 3 }] })
    const partitions = async () => (await admin.fetchTopicMetadata({ topics: [name] })).topics[0].partitions.length
    await until(async () => (await partitions()) === 3, 'three partitions')
    const groupId = `${prefix}-admin`
    const one = await member('admin', name)
    await until(() => one.partitions.length === 3, 'all partitions at one')
    assert.equal((await admin.describeGroups([groupId])).groups[0].state, 'Stable')
    const listed = async () => (await admin.listGroups()).groups.some(group => group.groupId === groupId)
    assert.ok(await listed())
    await one.consumer.commitOffsets([{ topic: name, partition: 0, offset: '0' }])
    await one.consumer.disconnect()
    await admin.deleteGroups([groupId])
    assert.ok(!(await listed()))
    await admin.deleteTopics({ topics: [name] })
    await until(async () => !(await admin.listTopics()).includes(name), 'the topic to go')
  },
}

async function main() {
  console.log(`version\t${require('kafkajs/package.json').version}`)
  await admin.connect()
  for (const [name, act] of Object.entries(capabilities)) {
    let line
    try {
      line = [name, 'ok', (await act()) ?? '']
    } catch (error) {
      console.error(error)
      line = [name, 'no', String(error.message).replace(/\s+/g, ' ')]
    }
    console.log(line.join('\t'))
  }
  await admin.disconnect()
  process.exit(0)
}

main()
