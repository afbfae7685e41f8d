/** The ground's messages. The types are the server's own, so that both sides stay the same. */
import type { FleetHello, FleetUpdate } from '../../../src/ground/fleet-feed.js';
import type { DriveRole, NamedField } from '../../../src/ground/history/drive-fields.js';
import type { Drive, DriveStep } from '../../../src/ground/history/drive-reader.js';
import type {
  HistoryAnswer,
  HistoryPoint,
  HistorySeries,
} from '../../../src/ground/history/history-reader.js';

export type { AuditEntry } from '../../../src/ground/audit-log.js';
export type { DriveRole } from '../../../src/ground/history/drive-fields.js';
export type { FieldView } from '../../../src/ground/field-view.js';
export type { FoundRecording, RecordingDetail } from '../../../src/ground/catalogue/search-recordings.js';
export type { FetchView } from '../../../src/ground/fetch/fetch-view.js';
export type { TrialView } from '../../../src/ground/trial-routes.js';
export type { HoleCounts, HoleView } from '../../../src/ground/refill/hole-book.js';
export type { FleetRow } from '../../../src/ground/fleet-row.js';
export type { LiveParameter } from '../../../src/core/monitoring.js';
export type { RobotDetail } from '../../../src/ground/robot-state.js';

/** The history of a field over HTTP: times are ISO 8601. */
export type FieldPast = Pick<HistoryAnswer, 'resolution' | 'truncated'> & {
  readonly stepMs: number;
  readonly series: readonly (Pick<HistorySeries, 'unit' | 'threshold' | 'turn'> & {
    readonly periodMs: number;
    readonly points: readonly (Omit<HistoryPoint, 'atNs'> & { readonly at: string })[];
  })[];
};

/** What a vehicle did, over HTTP. */
export type DriveView = Omit<Drive, 'steps' | 'fields'> & {
  readonly fields: Readonly<Partial<Record<DriveRole, NamedField>>>;
  readonly steps: readonly (Omit<DriveStep, 'atNs'> & { readonly at: string })[];
};

/** The first message to an accepted page. */
interface Welcome {
  readonly type: 'welcome';
  readonly role: 'viewer' | 'operator' | 'admin';
}

export type GroundFrame = FleetHello | FleetUpdate | Welcome;
