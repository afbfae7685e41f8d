import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse } from '@foxglove/rosmsg';
import { MessageDefinitions } from '../../../src/sources/ros/message-definitions.js';

const rule = '='.repeat(80);

describe('Message definitions out of the ament index', () => {
  let root = '';
  before(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-index-'));
  });
  after(() => fs.rm(root, { recursive: true, force: true }));

  async function put(prefix: string, files: Record<string, string>): Promise<MessageDefinitions> {
    for (const [name, text] of Object.entries(files)) {
      const path = join(root, prefix, 'share', name);
      await fs.mkdir(dirname(path), { recursive: true });
      await fs.writeFile(path, text);
    }
    return new MessageDefinitions(fs, [join(root, prefix)]);
  }
  const textOf = async (definitions: MessageDefinitions, type: string): Promise<[string, string]> => {
    const schema = await definitions.schemaOf(type);
    assert.ok(schema, type);
    assert.equal(schema.name, type);
    return [schema.encoding, Buffer.from(schema.data).toString()];
  };

  it('are the root, then every dependency once, depth first in alphabetical order', async () => {
    const definitions = await put('a', {
      'p/msg/Root.msg': '# a comment of words\nint32 X=1\nq/Zed z\nSub[] subs\nSub[<=3] more\nstring<=5 s\n',
      'p/msg/Sub.msg': 'builtin_interfaces/Time at\n',
      'q/msg/Zed.msg': 'builtin_interfaces/Time at\nfloat64[9] m',
      'builtin_interfaces/msg/Time.msg': 'int32 sec\nuint32 nanosec\n',
    });
    const [encoding, text] = await textOf(definitions, 'p/msg/Root');
    assert.equal(encoding, 'ros2msg');
    assert.equal(
      text,
      '# a comment of words\nint32 X=1\nq/Zed z\nSub[] subs\nSub[<=3] more\nstring<=5 s\n' +
        `\n${rule}\nMSG: p/Sub\nbuiltin_interfaces/Time at\n` +
        `\n${rule}\nMSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec\n` +
        `\n${rule}\nMSG: q/Zed\nbuiltin_interfaces/Time at\nfloat64[9] m`,
    );
  });

  it('are IDL if a part is defined only in IDL', async () => {
    const definitions = await put('b', {
      'p/msg/Root.msg': 'q/Only o\n',
      'p/msg/Root.idl': '#include "q/msg/Only.idl"\nmodule p {};\n',
      'q/msg/Only.idl': 'module q {};\n',
    });
    assert.deepEqual(await textOf(definitions, 'p/msg/Root'), [
      'ros2idl',
      `${rule}\nIDL: p/msg/Root\n#include "q/msg/Only.idl"\nmodule p {};\n` +
        `\n${rule}\nIDL: q/msg/Only\nmodule q {};\n`,
    ]);
  });

  it('are composed for service events and actions so that any reader of ros2msg understands them', async () => {
    const definitions = await put('c', {
      'p/srv/Add.srv': 'int64 a\nint64 b\n---\nint64 sum\n',
      'p/srv/Ping.srv': '# nothing\nint8 K=1\n---\n',
      'p/action/Fly.action': 'string where\n---\nbool ok\n---\np/Where now\n',
      'p/msg/Where.msg': 'float64 x\n',
      'service_msgs/msg/ServiceEventInfo.msg': 'uint8 event_type\nbuiltin_interfaces/Time stamp\n',
      'builtin_interfaces/msg/Time.msg': 'int32 sec\nuint32 nanosec\n',
      'unique_identifier_msgs/msg/UUID.msg': 'uint8[16] uuid\n',
    });
    for (const [type, ...expected] of [
      ['p/srv/Add_Event', 'p/Add_Request', 'p/Add_Response', 'service_msgs/ServiceEventInfo'],
      ['p/srv/Ping_Event', 'p/Ping_Request', 'p/Ping_Response'],
      ['p/action/Fly_FeedbackMessage', 'p/Fly_Feedback', 'p/Where', 'unique_identifier_msgs/UUID'],
      ['p/action/Fly_SendGoal_Event', 'p/Fly_Goal', 'p/Fly_SendGoal_Request', 'p/Fly_SendGoal_Response'],
      ['p/action/Fly_GetResult_Event', 'p/Fly_Result'],
    ] as const) {
      const [encoding, text] = await textOf(definitions, type);
      assert.equal(encoding, 'ros2msg');
      const names = parse(text, { ros2: true }).map(({ name }) => name);
      for (const name of expected) assert.ok(names.includes(name), `${type}: ${name} among ${names.join()}`);
    }
    // An empty struct still has one byte.
    const [, ping] = await textOf(definitions, 'p/srv/Ping_Event');
    assert.equal(ping.match(/structure_needs_at_least_one_member/g)?.length, 2);
  });

  it('are looked for again if they were not found, and overlaid by earlier prefixes', async () => {
    const late = await put('d', {});
    assert.equal(await late.schemaOf('p/msg/Late'), undefined);
    await put('d', { 'p/msg/Late.msg': 'int8 a\n' });
    assert.equal((await textOf(late, 'p/msg/Late'))[1], 'int8 a\n');
    await put('overlay', { 'p/msg/Late.msg': 'int8 b\n' });
    const overlaid = new MessageDefinitions(fs, [join(root, 'overlay'), join(root, 'd')]);
    assert.equal((await textOf(overlaid, 'p/msg/Late'))[1], 'int8 b\n');
  });

  it('never lead out of the index, and end if they contain themselves', async () => {
    const definitions = await put('e', {
      'p/msg/Loop.msg': 'p/Loop again\n',
    });
    for (const type of ['../../etc/msg/passwd', 'p/msg/../x', 'p/../../x', 'p', '']) {
      assert.equal(await definitions.schemaOf(type), undefined, type);
    }
    const loop = await definitions.schemaOf('p/msg/Loop');
    assert.ok(loop === undefined || loop.data.length < 10_000);
  });
});
