import { decodeManifest, type Manifest } from '../../../core/manifest.js';
import type { Store } from '../../../core/store.js';
import type { SystemPorts } from '../../../host/ports.js';
import { openStore } from '../../../stores/open-store.js';
import { compareHistory, type FieldComparison } from './compare-history.js';
import { wrongRollUps } from './compare-roll-ups.js';
import { cataloguedKeys, storedRollUps, storedSamples } from './ground-answers.js';
import type { GroundFleet, Life } from './ground-fleet.js';
import { sampleRecording } from './recorded-samples.js';

/** What the ground has against what the robots recorded, and its roll-ups against its samples. */
export interface GroundVerdict {
  readonly ok: boolean;
  readonly fields: readonly FieldComparison[];
  /** Segments in the store, and those of them that the catalogue has. */
  readonly segments: number;
  readonly catalogued: number;
  /** Why it is not in order. */
  readonly findings: readonly string[];
}

/** A second before and after everything. */
const MARGIN_NS = 1_000_000_000n;
/**
 * Waited while samples are missing: another process may have to take the robots over, and holes are filled from the
 * segments, which the ground looks for every few seconds.
 */
const SETTLE_MS = 60_000;
const POLL_MS = 500;
const HOUR_NS = 3_600_000_000_000n;
const rollUps = [
  ['1s', 'seconds', 1_000_000_000n],
  ['1min', 'minutes', 60_000_000_000n],
  ['1h', 'hours', HOUR_NS],
] as const;

/** Compares history and catalogue of a ground with the recordings, after the fleet has stopped. */
export async function judgeGround(fleet: GroundFleet, ports: SystemPorts): Promise<GroundVerdict> {
  const { fs, clock, random } = ports;
  await using store = await openStore(`dir:${fleet.storePath}`, {}, { fileSystem: fs, clock, random });
  const manifests = await readManifests(store);
  let fields = await compareFields(fleet, store, manifests);
  for (let waited = 0; waited < SETTLE_MS && fields.some(({ holes }) => holes > 0); waited += POLL_MS) {
    await clock.sleep(POLL_MS);
    fields = await compareFields(fleet, store, manifests);
  }
  const keys = await cataloguedKeys(fleet.url);
  const missing = manifests.filter(({ key }) => !keys.has(key)).map(({ key }) => key);
  const findings = [
    ...fleet.robots
      .filter(({ name }) => !fields.some(({ robot, compared }) => robot === name && compared > 0))
      .map(({ name }) => `nothing of ${name} could be compared`),
    ...fields.flatMap(faultsOf),
    ...(await rollUpFaults(fleet, fields)),
    ...missing.map((key) => `${key} is not in the catalogue`),
  ];
  const segments = manifests.length;
  return { ok: findings.length === 0, fields, segments, catalogued: segments - missing.length, findings };
}

async function compareFields(
  fleet: GroundFleet,
  store: Store,
  manifests: readonly Manifest[],
): Promise<readonly FieldComparison[]> {
  const compared: FieldComparison[] = [];
  for (const { name, lives } of fleet.robots) {
    const own = manifests.filter(({ robot }) => robot === name);
    const recorded = await sampleRecording(store, own, lives);
    const [from, to] = spanOf(lives);
    const specs = new Map(recorded.map(({ spec }) => [`${spec.topic} ${spec.path}`, spec]));
    for (const { topic, path } of specs.values()) {
      const field = recorded.filter(({ spec }) => spec.topic === topic && spec.path === path);
      const stored = await storedSamples(fleet.url, { robot: name, topic, path }, from, to);
      const one = compareHistory(name, field, stored);
      if (one !== undefined) compared.push(one);
    }
  }
  return compared;
}

function spanOf(lives: readonly Life[]): readonly [from: bigint, to: bigint] {
  const from = (lives[0]?.fromNs ?? 0n) - MARGIN_NS;
  return [from, (lives.at(-1)?.toNs ?? from) + MARGIN_NS];
}

/** A kill must not leave samples without their roll-ups, or count a sample twice in them. */
async function rollUpFaults(
  fleet: GroundFleet,
  fields: readonly FieldComparison[],
): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const field of fields) {
    const [first, to] = spanOf(fleet.robots.find(({ name }) => name === field.robot)?.lives ?? []);
    const samples = await storedSamples(fleet.url, field, first, to);
    const from = first - (first % HOUR_NS);
    for (const [resolution, name, stepNs] of rollUps) {
      const stored = await storedRollUps(fleet.url, field, resolution, from, to);
      const wrong = wrongRollUps(samples, stored, stepNs);
      if (wrong > 0)
        faults.push(
          `${field.robot} ${field.topic}.${field.path}: ${wrong} ${name} are not what their samples give`,
        );
    }
  }
  return faults;
}

function faultsOf({ robot, topic, path, outside, holes, twice, worst }: FieldComparison): readonly string[] {
  const name = `${robot} ${topic}.${path}`;
  return [
    ...(outside > 0
      ? [`${name}: ${outside} values are outside the threshold, the worst ${worst.toFixed(2)} times`]
      : []),
    ...(holes > 0 ? [`${name}: ${holes} samples of the recording are missing`] : []),
    ...(twice > 0 ? [`${name}: ${twice} samples are there twice`] : []),
  ];
}

async function readManifests(store: Store): Promise<readonly Manifest[]> {
  const manifests: Manifest[] = [];
  for await (const { key } of store.list('')) {
    if (!key.endsWith('.json')) continue;
    const pieces: Uint8Array[] = [];
    for await (const piece of store.read(key)) pieces.push(piece);
    manifests.push(decodeManifest(Buffer.concat(pieces).toString('utf8'), key));
  }
  return manifests;
}
