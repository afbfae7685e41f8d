import { readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { Writer } from 'protobufjs/minimal.js';
import { silentLogger } from '../src/core/logger.js';
import { packageRoot } from '../src/host/version.js';
import { createCsvSource } from '../src/sources/csv/csv-source.js';
import { parseSourceUri } from '../src/sources/source-uri.js';
import { vehicleProfiles, type ProfileName } from '../src/sources/csv/vehicle-profile.js';
import { Probe } from '../src/testing/source-probe.js';
import type { FieldRule } from '../src/settings/field-rule.js';
import type { PredictorName } from '../src/core/predictor-name.js';
import type { FieldSpec } from '../src/uplink/protocol/field-spec.js';
import { TelemetryEncoder } from '../src/uplink/protocol/telemetry-encoder.js';
import type { TelemetryFrame } from '../src/uplink/protocol/telemetry-frame.js';
import { encodeRobotMessage } from '../src/uplink/protocol/uplink-messages.js';
import { defaultRules } from '../src/uplink/robot/default-rules.js';
import { TelemetrySampler, type SampleTaker } from '../src/uplink/robot/telemetry-sampler.js';
import { defaultPace, TICK_NS } from '../src/uplink/robot/uplink-pace.js';
import type { BenchContext, BenchReport } from './bench-context.js';

type Phase = 'highway' | 'city' | 'other';

const phaseOf: Readonly<Record<string, Phase>> = {
  ...{ highway: 'highway', tunnel: 'highway', city: 'city', stop_and_go: 'city' },
};
/** Percent of the bytes of full protobuf that the dead band must save. */
const targets: Readonly<Record<Phase, number>> = { highway: 60, city: 20, other: 0 };

interface Bytes {
  samples: number;
  values: number;
  /** Values that were sent as changes. */
  changes: number;
  deadBand: number;
  protobuf: number;
  json: number;
}

interface Drive {
  readonly log: 'bundled' | 'electric';
  readonly file: string;
  /** Rows per tick of a tenth of a second. */
  readonly rowsPerTick: number;
  readonly profile: ProfileName;
}

const electric = { log: 'electric', file: 'electric.csv', rowsPerTick: 5 } as const;

/** The drives that come with the product, the electric one by each kind of vehicle. */
const drives: readonly Drive[] = [
  { log: 'bundled', file: 'commute.csv', rowsPerTick: 1, profile: 'car' },
  ...(Object.keys(vehicleProfiles) as ProfileName[]).map((profile) => ({ ...electric, profile })),
];

/** Each alone, against the defaults, which have one for each field. */
const predictors: readonly PredictorName[] = ['smooth', 'hold', 'linear'];

/** Bytes of live telemetry on the bundled drives, with the default rules, against every sample in full. */
export async function benchUplink({ say }: BenchContext): Promise<BenchReport> {
  const drivesFolder = join(packageRoot, 'config', 'drives');
  const results: Record<string, unknown> = {};
  const misses: string[] = [];
  for (const { log, file, rowsPerTick, profile } of drives) {
    const name = profile === 'car' ? log : `${log} ${profile}`;
    const uri = parseSourceUri(`csv:${log}?speed=max&profiles=${profile}`);
    const source = await createCsvSource(uri, { fs, drivesFolder });
    const probe = await new Probe(source).end();
    const states = statesOf(join(drivesFolder, file), rowsPerTick);
    const measure = (rules: readonly FieldRule[]): ByteMeter => {
      const meter = new ByteMeter(states, vehicleProfiles[profile].pace);
      const sampler = new TelemetrySampler({ rules, tickNs: TICK_NS }, meter, silentLogger);
      for (const message of probe.messages) sampler.take(message);
      return meter;
    };
    const meter = measure(defaultRules);
    say(`\nuplink: bytes on csv:${log}, profile ${profile}, default rules and thresholds`);
    say('  phase     samples  values  sent  dead band   protobuf       json  saved of protobuf  of json');
    for (const [phase, bytes] of Object.entries(meter.phases)) {
      const { protobuf, json, deadBand } = bytes;
      const [saved, ofJson] = [protobuf, json].map((whole) => 100 * (1 - deadBand / whole)) as [
        number,
        number,
      ];
      results[`${name} ${phase}`] = { ...bytes, savedPercent: saved, savedOfJsonPercent: ofJson };
      say(lineOf(phase, bytes, saved, ofJson));
      const target = targets[phase as Phase];
      if (saved < target)
        misses.push(`uplink: ${name} ${phase} saves ${saved.toFixed(0)} %, target ${target} %`);
    }
    for (const predictor of profile === 'car' ? predictors : []) {
      const { phases } = measure(defaultRules.map((rule) => ({ ...rule, predictor })));
      const saved = Object.entries(phases).map(
        ([phase, { deadBand, protobuf }]) => [phase, 100 * (1 - deadBand / protobuf)] as const,
      );
      results[`${name} all ${predictor}`] = Object.fromEntries(saved);
      const text = saved.map(([phase, percent]) => `${phase} ${percent.toFixed(1)} %`).join(', ');
      say(`  ${predictor} for every field saves of protobuf: ${text}`);
    }
  }
  return { results, misses };
}

function lineOf(phase: string, bytes: Bytes, saved: number, ofJson: number): string {
  const { samples, values, changes, deadBand, protobuf, json } = bytes;
  const columns = [
    [samples, 7],
    [values, 6],
    [changes, 4],
    [deadBand, 9],
    [protobuf, 9],
    [json, 9],
  ] as const;
  const numbers = columns.map(([value, width]) => String(value).padStart(width)).join('  ');
  return `  ${phase.padEnd(8)}  ${numbers}  ${saved.toFixed(1).padStart(15)} %  ${ofJson.toFixed(1)} %`;
}

/** The state at each tick of the drive. */
function statesOf(path: string, rowsPerTick: number): readonly string[] {
  const [, ...rows] = readFileSync(path, 'utf8').trimEnd().split('\n');
  return rows
    .filter((_, index) => index % rowsPerTick === 0)
    .map((row) => row.slice(row.lastIndexOf(',') + 1));
}

class ByteMeter implements SampleTaker {
  readonly phases: Record<Phase, Bytes> = { city: none(), highway: none(), other: none() };
  readonly #states: readonly string[];
  readonly #pace: number;
  #specs: readonly FieldSpec[] = [];
  #encoder: TelemetryEncoder | undefined;

  /** @param pace - Of the vehicle, as a multiple of that of the log. */
  constructor(states: readonly string[], pace: number) {
    this.#states = states;
    this.#pace = pace;
  }

  fields(specs: readonly FieldSpec[]): void {
    this.#specs = specs;
    const catalogue = { tickNs: TICK_NS, fields: specs };
    if (this.#encoder !== undefined) this.#count(this.phases.other, this.#encoder.changeFields(catalogue));
    this.#encoder ??= new TelemetryEncoder({ run: 1n, epoch: 1, catalogue, pace: defaultPace });
  }

  sample(tick: number, timeNs: bigint, values: Float64Array): void {
    const phase = phaseOf[this.#states[Math.floor(tick * this.#pace)] ?? ''] ?? 'other';
    const bytes = this.phases[phase];
    bytes.samples++;
    bytes.values += values.length;
    bytes.protobuf += protobufBytes(timeNs, values);
    bytes.json += this.#jsonBytes(timeNs, values);
    if (this.#encoder !== undefined) this.#count(bytes, this.#encoder.sample(tick, timeNs, values));
  }

  #count(bytes: Bytes, frames: readonly TelemetryFrame[]): void {
    for (const frame of frames) {
      bytes.deadBand += encodeRobotMessage({ kind: 'telemetry', frame }).byteLength;
      bytes.changes += frame.changes.length;
    }
  }

  #jsonBytes(timeNs: bigint, values: Float64Array): number {
    const named = Object.fromEntries(this.#specs.map(({ path }, i) => [path, values[i]]));
    return Buffer.byteLength(JSON.stringify({ time_ns: String(timeNs), ...named }));
  }
}

/** One message for each sample: its time, and every value as a double, without names. */
function protobufBytes(timeNs: bigint, values: Float64Array): number {
  const writer = Writer.create().uint32(0x09);
  writer.fixed32(Number(timeNs & 0xffffffffn)).fixed32(Number(timeNs >> 32n));
  writer.uint32(0x12).fork();
  for (const value of values) writer.double(value);
  return writer.ldelim().finish().byteLength;
}

function none(): Bytes {
  return { samples: 0, values: 0, changes: 0, deadBand: 0, protobuf: 0, json: 0 };
}
