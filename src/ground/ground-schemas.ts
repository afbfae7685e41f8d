import type { JsonSchema } from '../monitors/http/route.js';
import { apiSchemas, flag, list, number, object, ref, said, text, whole } from '../monitors/http/schemas.js';
import { auditedActions, auditStates } from './audit-log.js';
import { aboutFigure, figureNames, figures, type FigureKind } from '../uplink/protocol/robot-figures.js';
import { segmentStates } from '../uplink/protocol/robot-report.js';

const timeNs = {
  type: 'string',
  pattern: '^[0-9]+$',
  description: 'decimal nanoseconds since the Unix epoch',
};
const orNull = (schema: JsonSchema): JsonSchema => ({ anyOf: [schema, { type: 'null' }] });
const kinds: Readonly<Record<FigureKind, JsonSchema>> = { text, number, time: timeNs };

/** The figures, each described by the status that it is taken from. */
const status = object(
  Object.fromEntries(figureNames.map((name) => [name, said(kinds[figures[name].kind], aboutFigure(name))])),
  figureNames,
);

const counters = {
  connections: whole,
  messages: whole,
  bytes: whole,
  samples: said(whole, 'samples of all fields at a tick'),
  telemetryBytes: said(whole, 'bytes of the messages with telemetry'),
  fullBytes: said(whole, 'bytes of the same samples as Protocol Buffers messages of doubles'),
  jsonBytes: said(whole, 'bytes of the same samples as JSON objects'),
  gaps: said(whole, 'times at which frames were missing'),
  unusable: said(whole, 'messages that could not be read'),
  outboxSamples: said(whole, 'samples of all fields at a tick that waited in the outbox of the robot'),
};

const robot = {
  robot: text,
  vin: said(text, 'empty: not a vehicle'),
  refusedVin: said(
    text,
    'the VIN that it says and may not say, because of bound VINs; empty: it says none such',
  ),
  version: said(text, 'of Holdfast on the robot'),
  connected: flag,
  heardAt: said(text, 'on the clock of the ground'),
  clockBehindS: said(orNull(number), 'how far the clock of the robot is behind, seconds'),
  unsyncedSince: said(
    orNull(text),
    'when the oldest message was recorded that is in no store, on the clock of the ground; null: none waits, or it is unknown',
  ),
  ...counters,
  fields: list(ref('Field')),
  status: said(orNull(ref('RobotFigures')), 'null: nothing was reported, or reports are missing'),
  reportedAt: said(orNull(text), 'on the clock of the ground'),
  alerts: said(list(ref('ReportedAlert')), 'the raised ones'),
  tags: said(
    orNull({ type: 'object', additionalProperties: text }),
    'those that hold; null: the robot does not say, or reports are missing',
  ),
};

const oneValue: JsonSchema[] = [{ type: 'string' }, { type: 'number' }, { type: 'boolean' }];

export const liveParameterSchema: JsonSchema = object({
  name: text,
  value: said(
    { anyOf: [...oneValue, { type: 'array', items: { anyOf: oneValue } }] },
    'in the spelling of a configuration file',
  ),
  kind: { type: 'string', enum: ['boolean', 'integer', 'real', 'text', 'texts'] },
  unit: said(text, 'of a plain number; empty: none'),
  allowed: said(text, 'what may be set, for people'),
  description: text,
});

/** Schemas of the ground's API, with their names in its OpenAPI document. */
export const groundSchemas: Readonly<Record<string, JsonSchema>> = {
  ...{ Error: apiSchemas['Error'] ?? {}, Ok: apiSchemas['Ok'] ?? {} },
  MarkedEvent: apiSchemas['MarkedEvent'] ?? {},
  RobotFigures: said(status, 'an absent figure is unknown'),
  Field: object({
    ...{ topic: text, path: text, unit: text },
    threshold: said(number, 'the value is within this of what was measured'),
    state: { type: 'string', enum: ['known', 'absent', 'unknown'] },
    value: orNull(number),
    measuredAt: said(orNull(text), 'on the clock of the robot'),
  }),
  ReportedAlert: object({
    ...{ id: text, severity: { type: 'string', enum: ['warning', 'critical'] }, summary: text },
    sinceMs: said(number, 'milliseconds since the Unix epoch'),
  }),
  ReportedSegment: object(
    {
      ...{ segment: text, priority: text, state: { type: 'string', enum: segmentStates } },
      ...{ bytes: whole, messages: whole, firstLogTime: timeNs, lastLogTime: timeNs, sealedAt: timeNs },
      gaps: said(whole, 'lists of missing messages in it'),
    },
    ['priority', 'messages', 'firstLogTime', 'lastLogTime', 'sealedAt'],
  ),
  LiveParameter: liveParameterSchema,
  AuditEntry: object({
    ...{ id: text, at: text, who: text, role: { type: 'string', enum: ['viewer', 'operator', 'admin'] } },
    ...{ address: text, robot: text, command: { type: 'string', enum: auditedActions } },
    label: said(
      text,
      'of a marked event, what is requested, the parameter and its value, the tags, or the user; otherwise empty',
    ),
    state: { type: 'string', enum: auditStates, description: 'asked: no answer was noted' },
    message: said(text, 'what the robot said'),
    endedAt: said(text, 'empty: it has not ended'),
  }),
  Robot: object(robot),
  RobotDetail: object({
    ...robot,
    segments: said(list(ref('ReportedSegment')), 'the newest, oldest first'),
    events: said(list(ref('MarkedEvent')), 'those marked last, oldest first'),
  }),
};
