import { defined } from '../core/defined.js';
import { formatTime, NS_PER_MS } from '../core/clock.js';
import { parseTime } from '../core/parse-time.js';
import type { MarkedEvent } from '../core/marked-event.js';
import type { Tags } from '../core/tags.js';
import type { Catalogue, FieldSpec } from '../uplink/protocol/field-spec.js';
import type { RobotFigures } from '../uplink/protocol/robot-figures.js';
import type { ReportedAlert, ReportedSegment } from '../uplink/protocol/robot-report.js';
import { SampleSizes } from '../uplink/protocol/sample-bytes.js';
import type { DecodedTicks, TelemetryDecoder } from '../uplink/protocol/telemetry-decoder.js';
import { isDeleted, type DeletedTime } from './deleted-times.js';
import { viewOf, type FieldReading, type FieldView } from './field-view.js';
import {
  countFields,
  heardMsOf,
  positionIn,
  unsyncedSinceMsOf,
  type FleetRow,
  type MeasuredPosition,
} from './fleet-row.js';
import type { KnownRobot } from './known-robot.js';
import { ReportedState } from './reported-state.js';

/** Counters of a robot since the ground started. */
export interface RobotCounters {
  connections: number;
  messages: number;
  bytes: number;
  /** Samples of all fields at a tick. */
  samples: number;
  /** Bytes of the messages with telemetry. */
  telemetryBytes: number;
  /** Bytes of the same samples as Protocol Buffers messages of doubles, one for each sample. */
  fullBytes: number;
  /** Bytes of the same samples as JSON objects, one for each sample. */
  jsonBytes: number;
  /** Times at which frames were missing, and all fields became unknown. */
  gaps: number;
  /** Messages that could not be read. */
  unusable: number;
  /** Samples of all fields at a tick that waited in the outbox of the robot; they are not in `samples`. */
  outboxSamples: number;
}

/** A robot as the API shows it. */
export interface RobotView extends Readonly<RobotCounters> {
  readonly robot: string;
  readonly vin: string;
  /** The VIN that the robot says and may not say; empty: it says none such. */
  readonly refusedVin: string;
  readonly version: string;
  readonly connected: boolean;
  /** When the ground last heard the robot, on the ground's clock. */
  readonly heardAt: string;
  /** How far the robot's clock was behind the ground's at the last sample, seconds; negative: ahead. */
  readonly clockBehindS: number | null;
  readonly fields: readonly FieldView[];
  /** Figures of the recorder and of sync; null: nothing was reported, or reports are missing. */
  readonly status: RobotFigures | null;
  /** When the oldest message was recorded that is in no store, on the ground's clock; null: none waits, or unknown. */
  readonly unsyncedSince: string | null;
  /** When the robot reported last, on the ground's clock; null: never. */
  readonly reportedAt: string | null;
  /** The raised alerts. */
  readonly alerts: readonly ReportedAlert[];
  /** Those that hold; null: the robot does not say, or reports are missing. */
  readonly tags: Tags | null;
}

/** A robot with what only its own page shows. */
export interface RobotDetail extends RobotView {
  /** The newest segments that it reported, oldest first. */
  readonly segments: readonly ReportedSegment[];
  /** The events that were marked last, oldest first. */
  readonly events: readonly MarkedEvent[];
}

/** What the ground knows about one robot, in memory. */
export class RobotState {
  readonly robot: string;
  readonly counters: RobotCounters = {
    ...{ connections: 0, messages: 0, bytes: 0, samples: 0, gaps: 0, unusable: 0 },
    ...{ telemetryBytes: 0, fullBytes: 0, jsonBytes: 0, outboxSamples: 0 },
  };
  readonly reported = new ReportedState();
  vin = '';
  refusedVin = '';
  version = '';
  isConnected = false;
  heardAtNs = 0n;
  #decoder: TelemetryDecoder | undefined;
  #catalogue: Catalogue | undefined;
  #sizes: { readonly of: Catalogue; readonly sizes: SampleSizes } | undefined;
  /** Before a restart of the ground. */
  #lastPosition: MeasuredPosition | null = null;
  readonly #deleted: () => readonly DeletedTime[];
  /** A tick and its time on the robot's clock. */
  #anchor: { readonly tick: number; readonly timeNs: bigint; readonly heardAtNs: bigint } | undefined;

  /** @param deleted - Times that were deleted: what lies in them is not shown, and no restart remembers it. */
  constructor(robot: string, deleted: () => readonly DeletedTime[] = () => []) {
    this.robot = robot;
    this.#deleted = deleted;
  }

  /** A robot that was known before a restart of the ground. */
  static of(known: KnownRobot, deleted?: () => readonly DeletedTime[]): RobotState {
    const { robot, vin, version, heardAtNs, status, alerts, position, reportedAtNs, clockBehindS } = known;
    const state = new RobotState(robot, deleted);
    Object.assign(state, { vin, version, heardAtNs });
    state.#lastPosition = position;
    state.reported.restore(
      status ?? undefined,
      alerts,
      reportedAtNs ?? undefined,
      clockBehindS === null ? undefined : BigInt(Math.round(clockBehindS * 1e9)),
    );
    return state;
  }

  /** What a restart of the ground does not forget. */
  known(): KnownRobot {
    const { robot, vin, version, heardAtNs, reported } = this;
    const { status, alerts } = this.#report();
    return {
      ...{ robot, vin, version, heardAtNs, status, alerts, position: this.#position(this.#readings()) },
      reportedAtNs: reported.atNs ?? null,
      clockBehindS: reported.clockBehindNs === undefined ? null : Number(reported.clockBehindNs) / 1e9,
    };
  }

  /** A new connection: nothing is known until its first full frame. */
  begin(decoder: TelemetryDecoder): void {
    this.#decoder = decoder;
    this.#anchor = undefined;
  }

  took({ catalogue, firstTick, ticks, timeNs, values }: DecodedTicks): void {
    if (this.#sizes?.of !== catalogue)
      this.#sizes = { of: catalogue, sizes: new SampleSizes(catalogue.fields) };
    this.#catalogue = catalogue;
    this.counters.samples += ticks;
    // The samples of a frame are alike: one of them is enough.
    const { protobuf, json } = this.#sizes.sizes.of(timeNs, values, 0, catalogue.fields.length);
    this.counters.fullBytes += ticks * protobuf;
    this.counters.jsonBytes += ticks * json;
    const sinceFirst = BigInt(ticks - 1) * BigInt(catalogue.tickNs);
    this.#anchor = { tick: firstTick + ticks - 1, timeNs: timeNs + sinceFirst, heardAtNs: this.heardAtNs };
  }

  view(): RobotView {
    const { robot, vin, refusedVin, version, counters, isConnected, heardAtNs } = this;
    const report = this.#report();
    const sinceMs = this.#unsyncedSinceMs(report.status);
    const sampledBehindNs = this.#sampledBehindNs();
    return {
      ...{ robot, vin, refusedVin, version, connected: isConnected, heardAt: formatTime(heardAtNs) },
      clockBehindS: sampledBehindNs === undefined ? null : Number(sampledBehindNs) / 1e9,
      ...counters,
      fields: this.#readings().map(viewOf),
      unsyncedSince: sinceMs === null ? null : formatTime(BigInt(sinceMs) * NS_PER_MS),
      reportedAt: this.reported.atNs === undefined ? null : formatTime(this.reported.atNs),
      ...report,
    };
  }

  /** By the time of the last sample, which a replay has from its recording. */
  #sampledBehindNs(): bigint | undefined {
    const anchor = this.#anchor;
    return anchor && anchor.heardAtNs - anchor.timeNs;
  }

  /** A robot of an earlier version says nothing about its clock in its reports: then its samples do. */
  #unsyncedSinceMs(status: RobotFigures | null): number | null {
    return unsyncedSinceMsOf(status, this.reported.clockBehindNs ?? this.#sampledBehindNs() ?? 0n);
  }

  /** What the robot said last about itself, without what lies in a deleted time. */
  #report(): Pick<RobotView, 'status' | 'alerts' | 'tags'> {
    const { figures, alerts, tags, atNs } = this.reported;
    const deleted = this.#deleted();
    if (atNs !== undefined && isDeleted(deleted, { from: atNs }))
      return { status: null, alerts: [], tags: null };
    const isKept = ({ sinceMs }: ReportedAlert): boolean =>
      !isDeleted(deleted, { from: BigInt(Math.round(sinceMs)) * NS_PER_MS });
    return { status: figures ?? null, alerts: alerts.filter(isKept), tags: tags ?? null };
  }

  /** Of a robot that an earlier version kept, the time of its position is unknown: that of its last word counts. */
  #position(fields: readonly FieldReading[]): MeasuredPosition | null {
    if (this.#catalogue !== undefined) return positionIn(fields);
    const last = this.#lastPosition;
    if (last === null) return null;
    const from = parseTime(last.at ?? '') ?? this.heardAtNs;
    return isDeleted(this.#deleted(), { from, ...defined({ topic: last.topic }) }) ? null : last;
  }

  row(): FleetRow {
    const { robot, vin, version, isConnected: connected, heardAtNs } = this;
    const fields = this.#readings();
    const { status, alerts } = this.#report();
    const position = this.#position(fields);
    return {
      ...{ robot, vin, version, connected, heardMs: heardMsOf(heardAtNs, connected) },
      ...{ status, unsyncedSinceMs: this.#unsyncedSinceMs(status), alerts },
      position: position && { latitude: position.latitude, longitude: position.longitude },
      fields: countFields(fields),
    };
  }

  #readings(): readonly FieldReading[] {
    return (this.#catalogue?.fields ?? []).map((spec, index) => this.#reading(spec, index));
  }

  detail(): RobotDetail {
    const deleted = this.#deleted();
    return {
      ...this.view(),
      segments: this.reported.segments.filter(
        ({ firstLogTime: first, lastLogTime: last }) =>
          first === undefined || !isDeleted(deleted, { from: BigInt(first), to: BigInt(last ?? first) }),
      ),
      events: this.reported.events.filter(({ at }) => !isDeleted(deleted, { from: BigInt(at) })),
    };
  }

  #reading(spec: FieldSpec, index: number): FieldReading {
    const unknown = { spec, state: 'unknown', value: null, timeNs: null } as const;
    const state = this.#decoder?.field(index);
    const [anchor, tickNs] = [this.#anchor, this.#catalogue?.tickNs];
    if (state === undefined || state.kind === 'unknown' || anchor === undefined || tickNs === undefined)
      return unknown;
    const timeNs = anchor.timeNs - BigInt(anchor.tick - state.tick) * BigInt(tickNs);
    if (isDeleted(this.#deleted(), { from: timeNs, topic: spec.topic })) return unknown;
    return { spec, state: state.kind, value: state.kind === 'known' ? state.value : null, timeNs };
  }
}
