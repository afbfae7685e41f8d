import { dataFolder, type DataFolder } from '../../src/core/data-folder.js';
import { batch, channel, message } from '../wal/wal-support.js';
import { closedSegments, seal } from '../seal/seal-world.js';
import { cdrString } from '../support/test-mcap.js';
import { makeFolders } from '../support/make-folders.js';

const definition = (text: string): { name: string; encoding: string; data: Buffer } => ({
  name: 'p/msg/Text',
  encoding: 'ros2msg',
  data: Buffer.from(text),
});

/** One sealed segment in which a node was upgraded: the same topic and type, two definitions, two messages each. */
export async function sealChangingDefinition(root: string): Promise<DataFolder> {
  const folder = dataFolder(root);
  await makeFolders(folder);
  const old = channel('/crab/text', { schema: definition('string data') });
  const upgraded = channel('/crab/text', { schema: definition('string text\nuint8 level') });
  const segments = await closedSegments(folder, [
    [
      batch([message(old, cdrString('a')), message(old, cdrString('b'))]),
      batch([
        message(upgraded, Buffer.concat([cdrString('c'), Buffer.of(1)])),
        message(upgraded, Buffer.concat([cdrString('d'), Buffer.of(2)])),
      ]),
    ],
  ]);
  await seal(folder, segments[0]);
  return folder;
}
