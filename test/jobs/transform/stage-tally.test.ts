import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { decodeManifest, manifestKey } from '../../../src/core/manifest.js';
import type { StageCounts } from '../../../src/core/derivation.js';
import { present } from '../../../src/core/present.js';
import { CdrWriter } from '../../../src/core/ros/cdr-writer.js';
import { encodeRawImage } from '../../../src/jobs/transform/raw-image.js';
import { MemoryStore } from '../../support/memory-store.js';
import { cdrString } from '../../support/test-mcap.js';
import { SyncWorld } from '../../sync/sync-world.js';
import { sealTyped, sinkOf, transformer } from './transform-world.js';

/** Answers each message on its channel with nothing, and with two messages of its own. */
const PROGRAM = `
import struct, sys
source, target = sys.stdin.buffer, sys.stdout.buffer
def text(value): return struct.pack("<I", len(value)) + value
def write(kind, body=b""):
    target.write(struct.pack("<IB", len(body) + 1, kind) + body)
received = 0
while True:
    head = source.read(5)
    if not head: break
    size, kind = struct.unpack("<IB", head)
    body = source.read(size - 1)
    if kind == 1:
        write(1, struct.pack("<H", 1) + text(b"two") + text(b"1"))
        write(2, struct.pack("<H", 32768) + text(b"/two") + text(b"json") + text(b"") + text(b"") + text(b""))
    elif kind == 3:
        received += 1
        for _ in range(2): write(3, struct.pack("<H", 32768) + b"{}")
        write(4)
    elif kind == 5: write(5, struct.pack("<QQ", received, 2 * received))
    target.flush()
`;

function image(side: number, encoding = 'mono8'): Uint8Array {
  const header = { stamp: { sec: 1, nanosec: 0 }, frame_id: 'camera' };
  const data = new Uint8Array(side * side).fill(9);
  return encodeRawImage(new CdrWriter(), {
    ...{ header, height: side, width: side, encoding, is_bigendian: 0, step: side, data },
  });
}

describe('counts of sync.transform in the manifest', function () {
  this.timeout(60_000);

  /** Of each rule. */
  async function counts(...rules: readonly string[]): Promise<(StageCounts | undefined)[]> {
    await using world = await SyncWorld.create();
    const program = join(world.folder.root, 'two.py');
    await fs.writeFile(program, PROGRAM);
    const texts = (...list: string[]): Uint8Array[] => list.map((text) => cdrString(text));
    const sealed = await sealTyped(world, [
      { topic: '/name', type: 'std_msgs/String', payloads: texts('Ann', '', 'Bob') },
      { topic: '/place', type: 'std_msgs/String', payloads: texts('north', 'south') },
      { topic: '/cam', type: 'sensor_msgs/Image', payloads: [image(8), image(2), image(8, '8SC1')] },
    ]);
    await using work = transformer(rules.map((rule) => rule.replace('PROGRAM', `python3 ${program}`)));
    const store = new MemoryStore();
    const { alarms } = await world.drain(store, { sink: sinkOf(work) });
    assert.deepEqual(alarms, []);
    const text = present(store.content.objects.get(manifestKey(sealed.manifest.key))).toString();
    const { messages, derived } = decodeManifest(text, 'it');
    const stages = present(derived).stages.map((stage) => stage.counts);
    // Nothing comes and goes beside the rules.
    const sum = (name: 'made' | 'dropped'): number =>
      stages.reduce((all, one) => all + present(one)[name], 0);
    assert.equal(messages, sealed.manifest.messages + sum('made') - sum('dropped'));
    return stages;
  }

  it('tell messages that a rule changed from those that it left as they were', async () => {
    // An empty text stays empty; the rule about a field that the type lacks gets the messages too.
    assert.deepEqual(await counts('/name zero=data', '/(name|place) zero=nick?', '/other zero=data'), [
      { unchanged: 1, changed: 2, dropped: 0, made: 0 },
      { unchanged: 5, changed: 0, dropped: 0, made: 0 },
      { unchanged: 0, changed: 0, dropped: 0, made: 0 },
    ]);
  });

  it('have what a rule dropped and what a program wrote', async () => {
    assert.deepEqual(await counts('/place exec PROGRAM', '/(name|two) drop', '/two zero=data?'), [
      { unchanged: 0, changed: 0, dropped: 2, made: 4 },
      { unchanged: 0, changed: 0, dropped: 7, made: 0 },
      { unchanged: 0, changed: 0, dropped: 0, made: 0 },
    ]);
  });

  it('have images that a region did not reach, and images that have no JPEG', async () => {
    assert.deepEqual(await counts('/cam blank=4x4+4+4', '/(cam|name) jpeg=80?'), [
      { unchanged: 1, changed: 2, dropped: 0, made: 0 },
      { unchanged: 4, changed: 2, dropped: 0, made: 0 },
    ]);
  });
});
