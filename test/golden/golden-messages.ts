import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import type { RobotReport } from '../../src/uplink/protocol/robot-report.js';
import type { TelemetryFrame } from '../../src/uplink/protocol/telemetry-frame.js';
import {
  decodeGroundMessage,
  decodeRobotMessage,
  encodeGroundMessage,
  encodeRobotMessage,
  type GroundMessage,
  type RobotMessage,
} from '../../src/uplink/protocol/uplink-messages.js';

const base = { topic: '/vehicle1/telemetry', unit: '', threshold: 2, quantum: 0.25, everyTicks: 1 };
const circle = { period: 360, lowest: -180 };
const catalogue = {
  ...{ version: 2, tickNs: 100_000_000 },
  fields: [
    { ...base, path: 'v', unit: 'mph', predictor: 'smooth' },
    { ...base, path: 'heading', unit: '°', predictor: 'linear', circle },
    { ...base, path: 'größe', predictor: 'hold', threshold: 0, quantum: 0, everyTicks: 10 },
  ],
} as const;
const place = { epoch: 300, sequence: 2 ** 33, firstTick: 2 ** 40 };
const full: TelemetryFrame = {
  ...{ ...place, ticks: 1, timeNs: 1_700_000_000_000_000_001n, changes: [] },
  full: { run: 2n ** 64n - 3n, catalogueVersion: 2, catalogue, values: [30.5, NaN, -1 / 3] },
};
const delta: TelemetryFrame = {
  ...{ ...place, ticks: 12, timeNs: -1n },
  changes: [
    { position: 0, kind: 'residual', residual: -9 },
    { position: 1, kind: 'exact', value: 179.9 },
    { position: 30, kind: 'residual', residual: 2 ** 31 - 1 },
    { position: 32, kind: 'absent' },
  ],
};
const report: RobotReport = {
  ...{ epoch: 300, sequence: 2, complete: true },
  figures: {
    ...{ state: 'recording', startedAt: '1700000000000000001', channels: 0, messagesPerS: 1200.5 },
    ...{ link: 'offline', pendingBytes: 2 ** 45, oldestUnsyncedAt: '1', lastError: 'größe' },
  },
  unknown: ['etaMs', 'stalledReason'],
  alerts: [{ id: 'link_down', severity: 'critical', summary: 'no store', sinceMs: 1_700_000_000_000.5 }],
  segments: [
    {
      ...{ segment: '000000000042-0f1e2d3c4b5a69788796a5b4c3d2e1f0', state: 'uploading', bytes: 2 ** 40 },
      ...{ messages: 0, firstLogTime: '5', lastLogTime: '6', sealedAt: '7', priority: 'high', gaps: 3 },
    },
    { segment: 'x', state: 'open', bytes: 0, gaps: 0 },
  ],
  events: [{ id: '0f'.repeat(16), label: 'gate 4', at: '3', from: '2', to: '9' }],
};
const toGround: Readonly<Record<string, RobotMessage>> = {
  'hello.binpb': { kind: 'hello', protocol: 1, robot: 'robot_ü', version: '0.1.0', vin: '1ZZZ5A3T0RF000001' },
  'full.binpb': { kind: 'telemetry', frame: full },
  'delta.binpb': { kind: 'telemetry', frame: delta },
  'report.binpb': { kind: 'report', report },
  'report-tags.binpb': {
    kind: 'report',
    report: {
      ...{ epoch: 300, sequence: 3, complete: false, figures: {}, unknown: [], segments: [], events: [] },
      tags: { mission: 'größe 3', 'site.row-1': 'north' },
    },
  },
  'report-time.binpb': {
    kind: 'report',
    report: {
      ...{ epoch: 300, sequence: 6, complete: false, timeNs: 1_700_000_000_000_000_001n, figures: {} },
      ...{ unknown: [], segments: [], events: [] },
    },
  },
  'report-contents.binpb': {
    kind: 'report',
    report: {
      ...{ epoch: 300, sequence: 4, complete: false, figures: {}, unknown: [], events: [] },
      segments: [{ segment: 'x', state: 'sealed', bytes: 300, gaps: 0, content: 2 }],
      contents: [
        {
          number: 2,
          topics: [{ topic: '/état', type: 'std_msgs/msg/String', encoding: 'cdr' }],
          tags: { mission: 'größe 3' },
        },
      ],
    },
  },
  'report-contents-vin.binpb': {
    kind: 'report',
    report: {
      ...{ epoch: 300, sequence: 5, complete: false, figures: {}, unknown: [], segments: [], events: [] },
      contents: [{ number: 1, topics: [], tags: {}, vin: '1ZZZ5A3T0RF000001' }],
    },
  },
  'answer.binpb': {
    ...{ kind: 'answer', epoch: 300, id: 3 },
    answer: { ok: false, code: 'STATE_REFUSED', message: 'größe' },
  },
  'parameters.binpb': {
    ...{ kind: 'answer', epoch: 300, id: 5 },
    answer: { ok: true, code: '', message: 'the parameters', result: '[{"name":"größe"}]' },
  },
  'fetch.binpb': {
    kind: 'fetch',
    update: {
      ...{ id: '0f'.repeat(16), place: '0123456789abcdef', state: 'sending', at: '1700001000000000001' },
      ...{ reason: 'größe', matched: { segments: 3, bytes: 2 ** 40 }, stored: { segments: 1, bytes: 7 } },
      ...{ sendingBytes: 300, isRecording: true, goneSegments: 1 },
      segments: [{ name: 'a.r', key: 'robot=r/a.mcap', bytes: 7, state: 'parked', reason: 'refused' }],
      gone: [{ name: 'b.r', messages: 300, bytes: 1, at: '1', reason: 'quota' }],
    },
  },
  'outbox.binpb': {
    ...{ kind: 'outbox', run: 2n ** 64n - 3n, catalogue },
    samples: [
      { tick: 2 ** 40, timeNs: 1_700_000_000_000_000_001n, values: [30.5, NaN, -1 / 3] },
      { tick: 2 ** 40 + 2, timeNs: -1n, values: [0, 1e300, NaN] },
    ],
  },
  'outbox-vin.binpb': {
    ...{ kind: 'outbox', run: 1n, catalogue: { ...catalogue, vin: '1ZZZ5A3T0RF000001' } },
    samples: [{ tick: 1, timeNs: 2n, values: [1, 2, 3] }],
  },
  'removed.binpb': {
    ...{ kind: 'removed', run: 2n ** 64n - 3n, firstTick: 2 ** 40, ticks: 300, timeNs: -1n },
    catalogue: { ...catalogue, fields: catalogue.fields.map((one) => ({ ...one, scale: -2.5 })) },
  },
};
const toRobot: Readonly<Record<string, GroundMessage>> = {
  'welcome.binpb': { kind: 'welcome', protocol: 1, epoch: 300 },
  'full-request.binpb': { kind: 'full_request', epoch: 300, catalogue: true },
  'command.binpb': {
    ...{ kind: 'command', epoch: 300, id: 3 },
    command: { name: 'mark_event', label: 'gate größe 4', beforeS: 30.5, afterS: 0 },
  },
  'set-parameter.binpb': {
    ...{ kind: 'command', epoch: 300, id: 4 },
    command: {
      ...{ name: 'set_parameter', label: '', beforeS: 0, afterS: 0 },
      ...{ parameter: 'topics.exclude', value: '["^/größe"]' },
    },
  },
  'get-parameters.binpb': {
    ...{ kind: 'command', epoch: 300, id: 5 },
    command: { name: 'get_parameters', label: '', beforeS: 0, afterS: 0 },
  },
  'set-tags.binpb': {
    ...{ kind: 'command', epoch: 300, id: 6 },
    command: {
      ...{ name: 'set_tags', label: '', beforeS: 0, afterS: 0 },
      tags: { mission: 'größe 3', site: '' },
    },
  },
  'requests.binpb': {
    ...{ kind: 'requests', epoch: 300 },
    requests: [
      {
        ...{ format: 'holdfast-request', version: 1, id: '0f'.repeat(16), robot: 'robot_7' },
        ...{ from: '1700000000000000001', to: '1700000300000000000', topics: ['/größe', '*/imu'] },
        ...{ createdAt: '1700001000000000000', expiresAt: '1700605800000000000', by: 'ada' },
      },
    ],
  },
  'stored.binpb': { kind: 'stored', run: 2n ** 64n - 3n, firstTick: 2 ** 40, ticks: 500 },
};

function documentOf<T>(
  file: string,
  value: T,
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => unknown,
) {
  return {
    ...{ format: 'uplink', file, value },
    write: (folder: string) => fs.writeFile(join(folder, file), encode(value)),
    read: async (folder: string) => decode(await fs.readFile(join(folder, file))),
  };
}

/** Messages of the uplink, each as the bytes of one message. */
export const goldenMessages = [
  ...Object.entries(toGround).map(([file, value]) =>
    documentOf(file, value, encodeRobotMessage, decodeRobotMessage),
  ),
  ...Object.entries(toRobot).map(([file, value]) =>
    documentOf(file, value, encodeGroundMessage, decodeGroundMessage),
  ),
];
