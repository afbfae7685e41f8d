import assert from 'node:assert/strict';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import { parseDefinition } from '../../../src/core/ros/parse-definition.js';

const RULE = '='.repeat(80);
const fieldsOf = (text: string, schemaName: string): string[] =>
  parseDefinition(text, schemaName)[0]!.definitions.map(({ type, name }) => `${type} ${name}`);

describe('a ros2msg definition', () => {
  it('resolves a type without a package in the package of its message', () => {
    const text = [
      ...['Pose own', 'geometry_msgs/Pose other', 'Nested nested', RULE],
      ...['MSG: geometry_msgs/Pose', 'float64 x', RULE],
      ...['MSG: pkg/msg/Pose', 'int8 a', RULE],
      ...['MSG: pkg/Nested', 'Pose own'],
    ].join('\n');
    const definitions = parseDefinition(text, 'pkg/msg/T');
    assert.deepEqual(fieldsOf(text, 'pkg/msg/T'), [
      'pkg/Pose own',
      'geometry_msgs/Pose other',
      'pkg/Nested nested',
    ]);
    const nested = definitions.find(({ name }) => name === 'pkg/Nested');
    assert.equal(nested?.definitions[0]?.type, 'pkg/Pose');
  });

  it('takes Header of the own package before that of std_msgs, and that of std_msgs if there is no other', () => {
    const std = ['MSG: std_msgs/Header', 'builtin_interfaces/Time stamp', 'string frame_id'];
    const own = ['MSG: pkg/Header', 'uint8 kind'];
    assert.deepEqual(fieldsOf(['Header h', RULE, ...std, RULE, ...own].join('\n'), 'pkg/msg/T'), [
      'pkg/Header h',
    ]);
    assert.deepEqual(fieldsOf(['Header h', RULE, ...std].join('\n'), 'pkg/msg/T'), ['std_msgs/Header h']);
  });

  it('says which types a name may mean, if no package decides', () => {
    const text = ['Int x', RULE, 'MSG: a/Int', 'int8 v', RULE, 'MSG: b/Int', 'int8 v'].join('\n');
    assert.throws(() => parseDefinition(text, 'pkg/msg/T'), /type Int may be a\/Int or b\/Int/);
    assert.throws(() => parseDefinition('Missing x', 'pkg/msg/T'), /type Missing is not defined/);
    assert.throws(
      () => parseDefinition('other/Missing x', 'pkg/msg/T'),
      /type other\/Missing is not defined/,
    );
  });

  for (const line of [
    ...[
      'float32 A=nan',
      'float64 B = -inf',
      'float32 C=.inf',
      'bool D=TRUE',
      'bool E = yes',
      'uint8 F=0x1F',
      'int32 G=1e3',
    ],
    ...[
      'int64 H=9223372036854775808',
      'string I="it\'s # one"',
      'string J=',
      'char K=a',
      'float32 L=+1.5f',
      'float32[] M=[]',
    ],
  ]) {
    it(`holds no payload for the constant ${line}`, () => {
      assert.deepEqual(fieldsOf(`${line}\nint32 x`, 'pkg/msg/T'), ['int32 x']);
    });
  }

  for (const line of [
    ...[
      'float32 v nan',
      'float64 v -inf',
      'bool v TRUE',
      'int32[] v []',
      'float32[3] v [nan, inf, 1]',
      'string[] v ["a", "b#c"]',
    ],
    ...[
      "string v 'it # is'",
      'uint8 v 0xff',
      'string<=5 v "a=b"',
      'string<=5[<=2] v []',
      'bool[<=2] v [TRUE, false]  # said',
    ],
  ]) {
    it(`reads the field of the default ${line}`, () => {
      const [field] = parseDefinition(`${line}\nint32 x`, 'pkg/msg/T')[0]!.definitions;
      assert.equal(field?.name, 'v');
      assert.equal(field.isArray, /^\S*\[/.test(line));
    });
  }

  it('gives a message of constants only one byte of payload', () => {
    const definitions = parseDefinition('uint8 A=1\nstring B=x', 'pkg/msg/T');
    assert.deepEqual(new MessageReader(definitions).readMessage(Uint8Array.of(0, 1, 0, 0, 0)), {});
  });

  it('gives a nested message of constants only one byte too, so that what follows is not shifted', () => {
    const text = ['Level level', 'uint8 x', RULE, 'MSG: pkg/Level', 'uint8 LOW=0', 'uint8 HIGH=TRUE'].join(
      '\n',
    );
    const reader = new MessageReader(parseDefinition(text, 'pkg/msg/T'));
    assert.deepEqual(reader.readMessage(Uint8Array.of(0, 1, 0, 0, 0, 7)), { level: {}, x: 7 });
  });

  it('reads line ends of every kind', () => {
    for (const end of ['\n', '\r\n', '\r']) {
      const text = ['\ufeffInt a', '', RULE, 'MSG: pkg/Int', 'int8 v', ''].join(end);
      assert.deepEqual(fieldsOf(text, 'pkg/msg/T'), ['pkg/Int a']);
    }
  });

  const info = ['service_msgs/ServiceEventInfo info'];

  it('composes a service event of the text of the .srv file', () => {
    const text = 'int64 a\nint64 b\n---\nint64 sum\n';
    assert.deepEqual(fieldsOf(text, 'pkg/srv/Add_Event'), [
      ...info,
      'pkg/Add_Request request',
      'pkg/Add_Response response',
    ]);
    const names = parseDefinition(text, 'pkg/srv/Add_Event').map(({ name }) => name);
    assert.ok(names.includes('service_msgs/ServiceEventInfo'));
  });

  it('composes the event of a service without request or response, CRLF and constants included', () => {
    const text =
      'uint8 A=1\r\n---\r\nbool success\r\nDetail detail\r\n' + `${RULE}\r\nMSG: pkg/Detail\r\nint8 v\r\n`;
    const definitions = parseDefinition(text, 'pkg/srv/Trigger_Event');
    const request = definitions.find(({ name }) => name === 'pkg/Trigger_Request');
    assert.deepEqual(request?.definitions, []);
    const response = definitions.find(({ name }) => name === 'pkg/Trigger_Response');
    assert.deepEqual(
      response?.definitions.map(({ type }) => type),
      ['bool', 'pkg/Detail'],
    );
  });

  it('composes the parts of an action of the text of the .action file', () => {
    const text = 'int32 order\n---\nint32[] sequence\n---\nint32[] partial\n';
    assert.deepEqual(fieldsOf(text, 'pkg/action/Fibonacci_FeedbackMessage'), [
      'unique_identifier_msgs/UUID goal_id',
      'pkg/Fibonacci_Feedback feedback',
    ]);
    for (const part of ['SendGoal', 'GetResult']) {
      const root = parseDefinition(text, `pkg/action/Fibonacci_${part}_Event`)[0];
      assert.equal(root?.definitions[1]?.type, `pkg/Fibonacci_${part}_Request`);
    }
  });

  it('refuses a line that is no field', () => {
    assert.throws(() => parseDefinition('int32 a\n---\nint32 b', 'pkg/msg/T'), /'---'/);
    assert.throws(() => parseDefinition('int32', 'pkg/msg/T'), /Could not parse line/);
  });
});
