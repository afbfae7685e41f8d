import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { recording } from '../../support/recordings.js';
import { makeReport, scratch, topicCounts } from './report-support.js';

interface BagMetadata {
  readonly rosbag2_bagfile_information: {
    readonly message_count: number;
    readonly topics_with_message_count: readonly {
      readonly message_count: number;
      readonly topic_metadata: { readonly name: string };
    }[];
  };
}

describe('the numbers of a report', function () {
  this.timeout(60_000);

  it('are those rosbag2 counted when it recorded, topic by topic', async () => {
    await using folder = await scratch();
    for (const name of ['two_robots', 'two_robots_split_zstd'] as const) {
      const text = await readFile(join(recording(name), 'metadata.yaml'), 'utf8');
      const { rosbag2_bagfile_information: bag } = parse(text) as BagMetadata;
      const { html, json, run } = await makeReport(folder.path, recording(name));
      assert.equal(run.exitCode, 0, run.stderr);
      assert.equal(json.messages, bag.message_count);
      const expected = bag.topics_with_message_count
        .map(({ topic_metadata, message_count }) => [topic_metadata.name, message_count] as const)
        .toSorted(([a], [b]) => (a < b ? -1 : 1));
      const counts = [...topicCounts(html)].toSorted(([a], [b]) => (a < b ? -1 : 1));
      assert.deepEqual(counts, expected);
    }
  });
});
