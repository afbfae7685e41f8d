import { Ajv } from 'ajv';
import assert from 'node:assert/strict';
import { ROS_FIELDS } from '../../src/core/documents/described.js';
import { present } from '../../src/core/present.js';
import {
  anomalyRuleSchema,
  recorderStatusSchema,
  robotStatusSchema,
  topicStatsSchema,
} from '../../src/core/status-schema.js';
import { sinkStatusSchema, syncStatusSchema } from '../../src/core/sync-status-schema.js';
import { MessageType } from '../../src/app/ros/message-type.js';
import { apiSchemas } from '../../src/monitors/http/schemas.js';
import { recorderStatus, syncStatus, topicStats } from '../ros/nodes/status-samples.js';

type JsonSchema = Readonly<Record<string, unknown>>;

/** Every member below a schema, with the names of all lists it is in. */
function membersOf(schema: JsonSchema): JsonSchema[] {
  return Object.values((schema['properties'] ?? {}) as Readonly<Record<string, JsonSchema>>).flatMap(
    (member) => {
      // What is a message of its own in the ROS message is described by that message.
      if (member[ROS_FIELDS]) return [member];
      return [member, ...membersOf(member), ...membersOf((member['items'] ?? {}) as JsonSchema)];
    },
  );
}

/** Types of a field that can hold what a member says. */
function fits(type: string, member: JsonSchema): boolean {
  if (member['enum'] && type === 'uint8') return true;
  if (member['pattern']) return type === 'builtin_interfaces/Time';
  if (member['const']) return type === 'string';
  const allowed: Readonly<Record<string, RegExp>> = {
    string: /^string$/,
    boolean: /^bool$/,
    integer: /^uint(32|64)$/,
    number: /^(float(32|64)|int64)$/,
    array: /\[\]$/,
    object: /\[\]$/,
  };
  return allowed[String(member['type'])]!.test(
    // A member of the objects in a list fills a list.
    type.replace(/^(\w+)\[\]$/, ['string', 'integer'].includes(String(member['type'])) ? '$1' : '$&'),
  );
}

const ajv = new Ajv({ strict: false });
const messages = [
  ['RecorderStatus', recorderStatusSchema],
  ['RobotStatus', robotStatusSchema],
  ['AnomalyRuleStatus', anomalyRuleSchema],
  ['SyncStatus', syncStatusSchema],
  ['SinkStatus', sinkStatusSchema],
  ['TopicStats', topicStatsSchema],
] as const;

describe('the description of the status', () => {
  for (const [name, schema] of messages) {
    it(`names each field of ${name}.msg once, with a type that holds it`, () => {
      const members = membersOf(schema).filter((member) => member[ROS_FIELDS]);
      const named = members.flatMap((member) => member[ROS_FIELDS] as string[]);
      const definition = MessageType.own(name).definitions[0]!.definitions;
      const fields = definition
        .filter((field) => field.isConstant !== true && field.name !== 'stamp')
        .map(({ type, name: field, isArray, isComplex }) => {
          const short = isComplex && type.startsWith('holdfast/') ? present(type.split('/').at(-1)) : type;
          const spelled =
            /^builtin_interfaces.*Time$/.test(type) || type === 'time' ? 'builtin_interfaces/Time' : short;
          return `${spelled}${isArray ? '[]' : ''} ${field}`;
        });
      assert.deepEqual([...named].sort(), fields.sort());
      for (const member of members) {
        for (const field of member[ROS_FIELDS] as string[]) {
          assert.ok(fits(field.split(' ')[0]!, member), `${field} for ${JSON.stringify(member)}`);
        }
      }
    });

    it(`has a constant in ${name}.msg for each of its words`, () => {
      const constants = MessageType.own(name).definitions[0]!.definitions.filter(
        (one) => one.isConstant === true,
      );
      const words = membersOf(schema).flatMap((member) => {
        const field = (member[ROS_FIELDS] as string[] | undefined)?.find((one) => one.startsWith('uint8 '));
        const prefix = field?.split(' ')[1]!.toUpperCase();
        return prefix === undefined
          ? []
          : (member['enum'] as string[]).map((word) => `${prefix}_${word.toUpperCase()}`);
      });
      assert.deepEqual(constants.map((one) => one.name).sort(), words.sort());
    });
  }

  it('is the schema in the OpenAPI document', () => {
    assert.equal(apiSchemas['RecorderStatus'], recorderStatusSchema);
    assert.equal(apiSchemas['SyncStatus'], syncStatusSchema);
  });

  it('accepts the status of recorder and sync, and no member without a description', () => {
    for (const [schema, value] of [
      [recorderStatusSchema, { ...recorderStatus, state: 'inactive' }],
      [syncStatusSchema, syncStatus],
      [topicStatsSchema, topicStats(1)],
    ] as const) {
      const check = ajv.compile(schema);
      assert.ok(check(value), JSON.stringify(check.errors));
      assert.equal(check({ ...value, more: 1 }), false);
    }
  });
});
