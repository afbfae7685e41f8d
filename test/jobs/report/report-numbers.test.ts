import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { present } from '../../../src/core/present.js';
import { runCli } from '../../support/cli.js';
import { recording } from '../../support/recordings.js';
import { originals } from '../export/export-support.js';
import { makeReport, scratch, topicCounts } from './report-support.js';
import { troubledRecording } from './troubled-recording.js';
import { firstOf } from '../../support/first-of.js';

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

  it('equal the counts of rosbag2, topic by topic', async () => {
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

  it('equal those of another decoder: latency, values and paths', async () => {
    await using folder = await scratch();
    const from = recording('two_robots');
    const { html } = await makeReport(folder.path, from);
    const all = await originals(from);
    const imu = all.filter(({ topic }) => topic === '/robot1/imu');
    const latencies = imu
      .map(({ logTime, value }) => Number(logTime - stampOf(value)) / 1e6)
      .toSorted((a, b) => a - b);
    const [, row] = firstOf(
      2,
      /<tr data-topic="\/robot1\/imu" data-robot="robot1">(.*?)<\/tr>/s.exec(section(html, 'latency')),
    );
    const shown = [...row.matchAll(/<td class="num[^"]*">\s*([\d.,]+) (µs|ms)/g)].map(
      ([, number, unit]) => Number(present(number).replaceAll(',', '')) * (unit === 'ms' ? 1 : 1e-3),
    );
    const exact = [0, 0.5, 0.95, 0.99, 1].map(
      (share) => latencies[Math.max(0, Math.ceil(share * latencies.length) - 1)]!,
    );
    assert.equal(shown.length, exact.length);
    shown.forEach((ms, i) => {
      // A bin is 1.1 % wide; the page rounds to a tenth of a millisecond or to a microsecond.
      const rounding = exact[i]! < 1 ? 5e-4 : 0.051;
      assert.ok(Math.abs(ms - exact[i]!) <= 0.011 * exact[i]! + rounding, `${ms} for ${exact[i]}`);
    });

    const z = imu.map(({ value }) => (value['linear_acceleration'] as { z: number }).z);
    const [least, most] = [Math.min(...z), Math.max(...z)].map((one) => Number(one.toPrecision(4)));
    const [, label] = firstOf(
      2,
      /robot1: linear acceleration.*?aria-label="([^"]*)"/s.exec(section(html, 'values')),
    );
    assert.ok(label.includes(`z: ${least} to ${most} m/s²`), label);

    const odom = all
      .filter(({ topic }) => topic === '/robot2/odom')
      .map(({ value }) => (value['pose'] as { pose: { position: { x: number; y: number } } }).pose.position);
    let way = 0;
    odom.forEach(({ x, y }, i) => (way += i === 0 ? 0 : Math.hypot(x - odom[i - 1]!.x, y - odom[i - 1]!.y)));
    const [, said] = present(
      /\/robot2\/odom<\/bdi>.*?class="num">\s*([\d.]+) m/s.exec(section(html, 'tracks')),
    );
    assert.ok(Math.abs(Number(said) - way) <= 0.005 * way, `${said} for ${way}`);
  });

  it('are the same from the store, including segments that were evicted before', async () => {
    await using folder = await scratch();
    const drive = await troubledRecording(join(folder.path, 'rec'));
    const store = `dir:${join(folder.path, 'store')}`;
    const sync = await runCli(['sync', '--data', drive.folder.root, '--store', store, '--drain']);
    assert.equal(sync.exitCode, 0, sync.stderr);
    const { run, json, html } = await makeReport(folder.path, store);
    assert.equal(run.exitCode, 0, run.stderr);
    assert.equal(json.messages, drive.messages);
    assert.ok(
      json.answers[1]!.remarks.some((text) =>
        text.startsWith(`${drive.evictedMessages} messages in 1 segment`),
      ),
    );
    const local = topicCounts((await makeReport(folder.path, drive.folder.root)).html);
    assert.deepEqual(topicCounts(html), local);
  });
});

/** One section of the page. */
function section(html: string, id: string): string {
  const from = html.indexOf(`id="${id}"`);
  const next = html.indexOf('<section class="panel"', from);
  return html.slice(from, next < 0 ? undefined : next);
}

function stampOf(value: Record<string, unknown>): bigint {
  const { stamp } = value['header'] as { stamp: { sec: number; nanosec?: number; nsec?: number } };
  return BigInt(stamp.sec) * 1_000_000_000n + BigInt(stamp.nanosec ?? stamp.nsec ?? 0);
}
