import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseDefinition } from '@foxglove/rosmsg';
import type { Channel } from '@foxglove/ws-protocol';
import { present } from '../../../src/core/present.js';
import { packageRoot } from '../../../src/host/version.js';
import { lacking } from '../../../src/testing/lacking.js';
import { eventually } from '../../../src/testing/waiting.js';
import { onEveryMiddleware } from '../../support/on-every-middleware.js';
import { requireRos, stopRosChildren, type RosChild } from '../../support/ros.js';
import { FoxgloveViewer } from './foxglove-client.js';
import { InstalledPackage, missingPackage } from './installed-package.js';
import { perhaps } from '../../support/perhaps.js';
import { freePort } from '../../support/free-port.js';

const DOMAIN = 73;

/** A place in the messages of a topic that a panel shows: `/topic.field[:].other`. */
interface ShownPath {
  readonly panel: string;
  readonly topic: string;
  readonly fields: readonly string[];
}

/** Everything that a layout names: paths of topics, and services. */
function shownBy(file: string): {
  readonly paths: readonly ShownPath[];
  readonly services: readonly string[];
} {
  const { configById } = JSON.parse(readFileSync(join(packageRoot, 'config', 'foxglove', file), 'utf8')) as {
    readonly configById: Readonly<Record<string, unknown>>;
  };
  const paths: ShownPath[] = [];
  const services: string[] = [];
  const walk = (panel: string, key: string, value: unknown): void => {
    if (typeof value === 'object' && value !== null) {
      for (const [name, inner] of Object.entries(value)) walk(panel, name, inner);
    } else if (typeof value === 'string' && value.startsWith('/')) {
      if (key === 'serviceName') services.push(value);
      else paths.push({ panel, topic: value.split('.')[0]!, fields: value.split('.').slice(1) });
    }
  };
  for (const [panel, config] of Object.entries(configById)) walk(panel, '', config);
  return { paths, services };
}

/** The type at a path of a schema, such as `float64` or `holdfast/msg/TopicStats[]`; undefined if the field does not exist. */
function typeAt(
  { schemaEncoding, schemaName, schema }: Channel,
  fields: readonly string[],
): string | undefined {
  if (schemaEncoding === 'jsonschema') {
    let node = JSON.parse(schema) as { type?: string; properties?: Record<string, typeof node> } | undefined;
    for (const field of fields) node = node?.properties?.[field];
    return node?.type;
  }
  const definitions = parseDefinition(schema, { ros2: true });
  let type: string | undefined = schemaName;
  // The definition of the message itself comes first and has no name.
  let definition: (typeof definitions)[number] | undefined = definitions[0];
  for (const field of fields) {
    const name = field.replace(/\[.*\]$/, '');
    const found: (typeof definitions)[number]['definitions'][number] | undefined =
      definition?.definitions.find((one) => one.name === name && one.isConstant !== true);
    type = found === undefined ? undefined : `${found.type}${found.isArray === true ? '[]' : ''}`;
    definition = definitions.find((one) => one.name === found?.type);
  }
  return type;
}

function valueAt(message: unknown, fields: readonly string[]): unknown {
  return fields.reduce<unknown>(
    (value, field) => (value as Record<string, unknown> | undefined)?.[field.replace(/\[.*\]$/, '')],
    message,
  );
}

const NUMBERS = /^(?:u?int(?:8|16|32|64)|float(?:32|64)|number|integer)$/;

/** Checks the schema and a received message against what the panels of a layout show. */
async function assertShows(
  viewer: FoxgloveViewer,
  file: string,
  isQuiet: (topic: string) => boolean,
): Promise<void> {
  const { paths, services } = shownBy(file);
  assert.ok(paths.length > 8, `${paths.length} paths in ${file}`);
  for (const { topic } of paths) {
    await eventually(() => viewer.channels.has(topic), `${topic} to be advertised`);
    viewer.subscribe(topic);
  }
  for (const service of services) {
    await eventually(() => viewer.services.has(service), `${service} to be advertised`);
  }
  for (const { panel, topic, fields } of paths) {
    const where = `${[topic, ...fields].join('.')} of ${panel}`;
    const type = typeAt(present(viewer.channels.get(topic)), fields);
    assert.ok(type !== undefined, `${where}: not in the schema`);
    if (panel.startsWith('Plot!')) assert.match(type, NUMBERS, where);
    if (panel.startsWith('Table!')) assert.match(type, /\[\]$/, where);
    if (isQuiet(topic)) continue;
    await eventually(() => viewer.received(topic).length > 0, `a message of ${topic}`);
    const value = valueAt(viewer.received(topic)[0], fields);
    assert.ok(value !== undefined, `${where}: not in a message`);
    if (panel.startsWith('Plot!')) assert.ok(['number', 'bigint'].includes(typeof value), where);
  }
}

onEveryMiddleware('the Foxglove layouts', function () {
  this.timeout(180_000);
  let installed: InstalledPackage;
  let launched: RosChild;

  before(async function () {
    // The messages are built once per machine.
    this.timeout(900_000);
    const ros = requireRos(this, { native: true });
    installed = await InstalledPackage.make(ros);
    const live = { 'foxglove.enabled': true, 'foxglove.port': await freePort() };
    launched = await installed.launchSimulation(DOMAIN, live, 'aggregator:=false');
  });
  after(async () => {
    await stopRosChildren();
    perhaps(installed)?.[Symbol.dispose]();
  });

  it('holdfast.json shows topics and fields that foxglove_bridge has beside both nodes', async function () {
    const missing = missingPackage(installed.ros, 'foxglove_bridge');
    if (missing !== undefined) lacking(this, 'foxglove-bridge', missing);
    const port = await freePort();
    const parameters = ['-p', `port:=${port}`, '-p', 'address:=127.0.0.1'];
    const bridge = installed.start(
      'ros2',
      ['run', 'foxglove_bridge', 'foxglove_bridge', '--ros-args', ...parameters],
      DOMAIN,
    );
    await bridge.waitFor(/listening (?:at|on)/i);
    using viewer = new FoxgloveViewer(`ws://127.0.0.1:${port}`);
    await assertShows(viewer, 'holdfast.json', () => false);
    for (const [topic, name] of [
      ['/holdfast_recorder/status', 'holdfast/msg/RecorderStatus'],
      ['/holdfast_recorder/topic_stats', 'holdfast/msg/TopicStatsArray'],
      ['/holdfast_sync/sync_status', 'holdfast/msg/SyncStatus'],
      ['/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray'],
    ] as const) {
      assert.equal(viewer.channels.get(topic)?.schemaName, name, topic);
    }
  });

  it('holdfast-live.json shows topics and fields that the recorder itself serves', async () => {
    await launched.waitFor(/Foxglove is listening url=/);
    const url = present(/Foxglove is listening url=(\S+)/.exec(launched.output()))[1]!;
    using viewer = new FoxgloveViewer(url);
    // Lines of the log come when there is something to say.
    await assertShows(viewer, 'holdfast-live.json', (topic) => topic === '/holdfast/log');
  });
});
