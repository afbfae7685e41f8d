import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../../src/host/version.js';
import { ros2Schema } from '../../../src/core/ros/schemas.js';
import { robotTopics } from '../../../src/simulation/robot-topics.js';
import { lacking } from '../../../src/testing/lacking.js';

const read = (...path: string[]): string => readFileSync(join(packageRoot, ...path), 'utf8');

/** Topics of the nodes, by the message they carry. */
const topics: Readonly<Record<string, string>> = {
  '/holdfast_recorder/status': 'RecorderStatus',
  '/holdfast_recorder/topic_stats': 'TopicStatsArray',
  '/holdfast_sync/sync_status': 'SyncStatus',
};

function fieldsOf(message: string): readonly string[] {
  const lines = read('msg', `${message}.msg`).split('\n');
  return lines.flatMap((line) => /^[\w/]+(?:\[\])? ([a-z]\w*)(?:\s*#.*)?$/.exec(line)?.[1] ?? []);
}

/** `separator` is what stands between topic and field. */
function assertField(path: string, separator: string): void {
  const topic = Object.keys(topics).find((name) => path === name || path.startsWith(name + separator));
  assert.ok(topic !== undefined, `${path}: no such topic`);
  const field = /^\w+/.exec(path.slice(topic.length + 1))?.[0];
  if (field !== undefined) assert.ok(fieldsOf(topics[topic]!).includes(field), `${path}: no such field`);
}

describe('the package’s files for other tools', () => {
  it('a Foxglove layout that shows fields there are, each panel once', () => {
    interface Path {
      readonly value: string;
    }
    interface Panel {
      readonly topicPath?: string;
      readonly paths?: readonly Path[];
    }
    type Layout = string | { readonly first: Layout; readonly second: Layout };
    const { configById, layout } = JSON.parse(read('config', 'foxglove', 'holdfast.json')) as {
      readonly configById: Readonly<Record<string, Panel>>;
      readonly layout: Layout;
    };
    const placed = (one: Layout): string[] =>
      typeof one === 'string' ? [one] : [...placed(one.first), ...placed(one.second)];
    assert.deepEqual(placed(layout).sort(), Object.keys(configById).sort());
    const shown = Object.values(configById).flatMap(({ topicPath, paths = [] }) => [
      ...(topicPath === undefined ? [] : [topicPath]),
      ...paths.map(({ value }) => value),
    ]);
    assert.ok(shown.length > 5);
    for (const path of shown) assertField(path, '.');
  });

  it('an rqt perspective that plots fields there are', () => {
    const perspective = JSON.parse(read('config', 'rqt', 'holdfast.perspective')) as unknown;
    const plotted = JSON.stringify(perspective).match(/\/holdfast_\w+(?:\/\w+)+/g) ?? [];
    assert.ok(plotted.length > 2);
    for (const path of plotted) assertField(path, '/');
  });

  it('units that systemd accepts', function () {
    const folder = join(packageRoot, 'config', 'systemd');
    if (spawnSync('systemd-analyze', ['--version']).status !== 0) {
      lacking(this, 'systemd', 'there is no systemd-analyze on the PATH');
    }
    for (const name of readdirSync(folder)) {
      const { status, stderr } = spawnSync('systemd-analyze', ['verify', join(folder, name)], {
        encoding: 'utf8',
      });
      assert.deepEqual([status, stderr], [0, ''], name);
    }
  });

  it("definitions of the simulator's own messages, word by word as it writes them into a recording", () => {
    for (const name of ['FleetState', 'FleetPeers']) {
      const [own] = Buffer.from(ros2Schema(`holdfast/${name}`).data)
        .toString()
        .split(`\n${'='.repeat(80)}`);
      assert.equal(read('msg', `${name}.msg`), own);
    }
  });

  it('a package.xml that names every package a message of the fleet comes from', () => {
    const xml = read('package.xml');
    const packages = new Set(robotTopics.map(({ type }) => type.split('/')[0]!));
    packages.delete('holdfast');
    for (const name of packages) assert.match(xml, new RegExp(`depend[^>]*>${name}<`), name);
  });
});
