import assert from 'node:assert/strict';
import type { McapChannel } from '../../../src/core/mcap/definitions.js';
import type { Channel } from '../../../src/core/message.js';
import { present } from '../../../src/core/present.js';
import { Random } from '../../../src/core/random.js';
import { CdrWriter } from '../../../src/core/ros/cdr-writer.js';
import { parseTransformRule, type TransformRule } from '../../../src/core/transform/rule.js';
import { compileTransform } from '../../../src/jobs/transform/message-transform.js';
import { MessageFields } from '../../../src/recordings/quality/message-fields.js';
import { Redaction } from '../../../src/uplink/robot/redaction.js';
import { field } from '../protocol/uplink-world.js';

const TYPE = [
  'string driver',
  'float64 latitude',
  'float64 longitude',
  'float32 altitude',
  'Rotation rotation',
  'float64[3] covariance',
  '='.repeat(80),
  'MSG: demo_msgs/Rotation',
  'float64 x',
  'float64 y',
  'float64 z',
  'float64 w',
].join('\n');
const PATHS = ['latitude', 'longitude', 'altitude', 'rotation.yaw', 'covariance.1'];
const fields = PATHS.map((path) => field({ topic: '/fix', path }));

const channelOf = (topic: string): Channel => ({
  ...{ robot: 'r1', topic, encoding: 'cdr', metadata: {}, latched: false },
  schema: { name: 'demo_msgs/msg/Fix', encoding: 'ros2msg', data: new TextEncoder().encode(TYPE) },
});
const rulesOf = (...texts: string[]): TransformRule[] =>
  texts.map((text) => present(parseTransformRule(text)));

/** The paths that leave with these rules. */
function leaving(...texts: string[]): string[] {
  const redaction = new Redaction(rulesOf(...texts));
  redaction.see(channelOf('/fix'));
  return redaction.of(fields).fields.map(({ path }) => path);
}

describe('The uplink with sync.transform', () => {
  it('leaves everything as it is without a rule for the topic', () => {
    assert.deepEqual(leaving('/other drop', '/fix hash=driver', '/fix jpeg=80'), PATHS);
    const sample = [1.5, NaN, -3, 0, 7];
    assert.deepEqual([...new Redaction([]).of(fields).values(sample)], sample);
  });

  it('sends no field that a rule drops or empties, nor a number that is computed of one', () => {
    assert.deepEqual(leaving('/fix zero=latitude drop=altitude'), [
      'longitude',
      'rotation.yaw',
      'covariance.1',
    ]);
    for (const rule of ['drop=rotation', 'zero=rotation.z', 'round=rotation.w:3']) {
      assert.deepEqual(
        leaving(`/fix ${rule}`),
        PATHS.filter((path) => path !== 'rotation.yaw'),
        rule,
      );
    }
    // A list is changed with all of its elements.
    assert.ok(!leaving('/fix drop=covariance').includes('covariance.1'));
  });

  it('sends nothing of a topic that a rule drops, or gives to a program', () => {
    assert.deepEqual(leaving('/fix drop'), []);
    assert.deepEqual(leaving('.* exec /usr/bin/blur'), []);
  });

  it('sends nothing of a topic that a rule does not fit, as no segment leaves, and says why', () => {
    const redaction = new Redaction(rulesOf('/fix zero=north'));
    assert.match(
      redaction.see(channelOf('/fix')) ?? '',
      /^north is not a field; there are: driver, latitude/,
    );
    assert.deepEqual(redaction.of(fields).fields, []);
    assert.deepEqual(leaving('/fix zero=north?'), PATHS);
  });

  it('sends nothing while the rules are unknown, and what they allow from then on', () => {
    const redaction = new Redaction(undefined);
    redaction.see(channelOf('/fix'));
    assert.deepEqual([redaction.isKnown, redaction.of(fields).fields], [false, []]);
    const rules = rulesOf('/fix drop=latitude');
    assert.deepEqual([redaction.use(rules), redaction.use(rules)], [true, false]);
    assert.deepEqual(redaction.of(fields).fields, fields.slice(1));
    redaction.use(rulesOf('/fix zero=east'));
    assert.deepEqual(redaction.of(fields).fields, [], 'the types of topics stay known');
  });

  it('rounds numbers as they are rounded in segments', () => {
    const texts = ['/fix round=latitude+longitude:137m,altitude:2.5m', '/fix round=latitude:4,covariance:1'];
    const rules = rulesOf(...texts);
    const { schema } = channelOf('/fix');
    const channel: McapChannel = {
      id: 1,
      topic: '/fix',
      encoding: 'cdr',
      schema,
      metadata: {},
      carried: false,
    };
    const change = compileTransform(channel, rules, (text) => String(text));
    assert.ok(typeof change === 'function');
    const reader = new MessageFields(schema);
    const read = (path: string): number => reader.value(reader.fields.findIndex(({ name }) => name === path));
    const own = ['latitude', 'longitude', 'altitude'].map((path) => field({ topic: '/fix', path }));
    const redacted = new Redaction(rules).of(own);
    const random = new Random(20);
    for (let n = 0; n < 500; n++) {
      const [latitude, longitude] = [random.between(-90, 90), random.between(-180, 180)];
      const altitude = Math.fround(random.between(0, 9_000));
      const writer = new CdrWriter().begin().string('Ada').f64(latitude).f64(longitude).f32(altitude);
      for (let i = 0; i < 7; i++) writer.f64(i);
      reader.decode(change(writer.finish()));
      const once = redacted.values([latitude, longitude, altitude]);
      assert.deepEqual(
        [once[0], once[1], Math.fround(once[2]!)],
        [read('latitude'), read('longitude'), read('altitude')],
      );
      assert.deepEqual(redacted.values(once), once, 'once more changes nothing');
    }
  });

  it('rounds before the unit is converted, and withholds a longitude without its latitude', () => {
    const scaled = [field({ topic: '/fix', path: 'altitude', scale: 3.28 }), present(fields[1])];
    const redacted = new Redaction(
      rulesOf('/fix round=altitude:10m', '/fix round=latitude+longitude:1000m'),
    ).of(scaled);
    assert.deepEqual(
      redacted.fields.map(({ path }) => path),
      ['altitude'],
    );
    assert.deepEqual([...redacted.values([96 * 3.28, 8.5])], [100 * 3.28]);
  });
});
