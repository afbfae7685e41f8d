import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { present } from '../../../src/core/present.js';
import { defined } from '../../../src/core/defined.js';
import { lacking } from '../../../src/testing/lacking.js';
import { testCacheFolder } from '../../support/cli.js';
import { layCable, type Cable } from '../../support/namespaces.js';
import { middlewareOf } from '../../support/middleware-of.js';
import { onEveryMiddleware } from '../../support/on-every-middleware.js';
import {
  nodeLoader,
  requireRos,
  startRos,
  stopRosChildren,
  type RosChild,
  type RosInstall,
} from '../../support/ros.js';
import { startPublisher } from './publishers.js';

/** Its own network, so any domain. One for each case: they run at the same time. */
const DOMAIN = 1;
const COUNT = 100;
const NEAR = '10.77.0.1';
const FAR = '10.77.0.2';

/** The program of Fast DDS, at the near end. */
const SERVER_PORT = 11_811;

/** A recorder at one end of a cable, and a publisher at the other or at the same end. */
interface Case {
  readonly name: string;
  readonly recorder: NodeJS.ProcessEnv;
  readonly publisher: NodeJS.ProcessEnv;
  readonly isNear?: boolean;
  readonly receives: boolean;
}

interface Summary {
  readonly received: number | undefined;
  readonly durable: number | undefined;
}

function range(value: string, peers?: string): NodeJS.ProcessEnv {
  return { ROS_AUTOMATIC_DISCOVERY_RANGE: value, ...defined({ ROS_STATIC_PEERS: peers }) };
}

const ranges: readonly Case[] = [
  { name: 'SUBNET', recorder: range('SUBNET'), publisher: range('SUBNET'), receives: true },
  { name: 'LOCALHOST', recorder: range('LOCALHOST'), publisher: range('SUBNET'), receives: false },
  {
    ...{ name: 'LOCALHOST on one host', isNear: true, receives: true },
    ...{ recorder: range('LOCALHOST'), publisher: range('LOCALHOST') },
  },
  {
    ...{ name: 'OFF on one host', isNear: true, receives: false },
    ...{ recorder: range('OFF'), publisher: range('SUBNET') },
  },
  {
    ...{ name: 'LOCALHOST with static peers', receives: true },
    ...{ recorder: range('LOCALHOST', FAR), publisher: range('LOCALHOST', NEAR) },
  },
];

function served(superClient?: string): NodeJS.ProcessEnv {
  const server = { ROS_DISCOVERY_SERVER: `${NEAR}:${SERVER_PORT}`, ...range('SUBNET') };
  return { ...server, ...defined({ ROS_SUPER_CLIENT: superClient }) };
}

/** A client discovers only the endpoints that match its own. A recorder has none until it discovers some. */
const serverCases: readonly Case[] = [
  { name: 'super client', recorder: served('TRUE'), publisher: served(), receives: true },
  { name: 'client', recorder: served(), publisher: served('TRUE'), receives: false },
];

const main = fileURLToPath(new URL(`../../../src/app/main${extname(import.meta.url)}`, import.meta.url));

onEveryMiddleware('discovery between hosts', function () {
  this.timeout(120_000);
  let ros: RosInstall;
  let cable: Cable | undefined;
  let folder: string | undefined;

  before(async function () {
    ros = requireRos(this, { native: true });
    const laid = layCable();
    if (typeof laid === 'string') return lacking(this, 'netns', laid);
    cable = laid;
    for (const name of [cable.near, cable.far])
      spawnSync('ip', ['-n', name, 'link', 'set', 'lo', 'multicast', 'on']);
    folder = await mkdtemp(join(tmpdir(), 'holdfast-discovery-'));
  });
  afterEach(stopRosChildren);
  after(async () => {
    cable?.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  /** The same ROS within a network namespace. */
  function at(end: 'near' | 'far', env: NodeJS.ProcessEnv): RosInstall {
    return {
      ...ros,
      environment: (domainId) => ({ ...ros.environment(domainId), ...env }),
      within: ['ip', 'netns', 'exec', present(cable)[end]],
    };
  }

  function startRecorder(domainId: number, topic: string, env: NodeJS.ProcessEnv): RosChild {
    const data = join(present(folder), String(domainId));
    const record = ['record', '--source', 'ros:', '--include', `^${topic}$`, '--data', data];
    const args = [...nodeLoader, main, ...record, '--no-web', '--no-foxglove', '--json'];
    const cache = { XDG_CACHE_HOME: testCacheFolder() };
    return startRos(at('near', env), process.execPath, args, { domainId, env: cache });
  }

  /** Runs all cases at once, each in a domain of its own: what receives nothing had as long as the others. */
  async function judge(cases: readonly Case[], firstDomain: number): Promise<void> {
    const running = cases.map((one, index) => {
      const domainId = firstDomain + index;
      const there = at(one.isNear === true ? 'near' : 'far', one.publisher);
      // A discovery server does not keep domains apart.
      const topic = `/counted_${index}`;
      const plan = { topics: [topic], count: COUNT, perS: 100 };
      return {
        name: one.name,
        receives: one.receives,
        recorder: startRecorder(domainId, topic, one.recorder),
        publisher: startPublisher(there, domainId, plan),
      };
    });
    const receiving = running.filter(({ receives }) => receives);
    await Promise.all(receiving.map(({ publisher }) => publisher.waitFor(/published/, 60_000)));
    const found = await Promise.all(
      running.map(async ({ name, recorder }) => {
        process.kill(-present(recorder.child.pid), 'SIGINT');
        assert.equal(await recorder.ended, 0, `${name}: ${recorder.output()}`);
        const lines = recorder.output().split('\n');
        const summary = JSON.parse(lines.find((line) => line.startsWith('{"ok"')) ?? '{}') as Summary;
        return { name, received: summary.received, durable: summary.durable };
      }),
    );
    const counts = (receives: boolean): Summary =>
      receives ? { received: COUNT, durable: COUNT } : { received: 0, durable: 0 };
    assert.deepEqual(
      found,
      cases.map(({ name, receives }) => ({ name, ...counts(receives) })),
    );
  }

  it('is as ROS_AUTOMATIC_DISCOVERY_RANGE and ROS_STATIC_PEERS say', async function () {
    // rmw reads them since Iron.
    if (ros.distro === 'humble') lacking(this, 'capability', 'Humble has no ROS_AUTOMATIC_DISCOVERY_RANGE');
    await judge(ranges, DOMAIN);
  });

  if (middlewareOf(this) !== 'rmw_fastrtps_cpp') return;

  it('goes through a discovery server if the recorder is a super client', async function () {
    const program = (ros.environment(0)['PATH'] ?? '')
      .split(':')
      .map((one) => join(one, 'fast-discovery-server'))
      .find((one) => existsSync(one));
    if (program === undefined) return lacking(this, 'ros', 'no fast-discovery-server on PATH');
    const address = ['-i', '0', '-l', NEAR, '-p', String(SERVER_PORT)];
    const server = startRos(at('near', {}), program, address, { domainId: DOMAIN });
    await server.waitFor(/Server is running/);
    await judge(serverCases, DOMAIN + ranges.length);
  });
});
