/** The ground's messages. The types are the server's own, so that both sides stay the same. */
import type { FleetHello, FleetUpdate } from '../../../src/ground/fleet-feed.js';

export type { AuditEntry } from '../../../src/ground/audit-log.js';
export type { FieldView } from '../../../src/ground/field-view.js';
export type { FoundRecording, RecordingDetail } from '../../../src/ground/catalogue/search-recordings.js';
export type { FetchView } from '../../../src/ground/fetch/fetch-view.js';
export type { TrialView } from '../../../src/ground/trial-routes.js';
export type { HoleCounts } from '../../../src/ground/refill/hole-book.js';
export type { FleetRow } from '../../../src/ground/fleet-row.js';
export type { LiveParameter } from '../../../src/core/monitoring.js';
export type { RobotDetail } from '../../../src/ground/robot-state.js';

/** The first message to an accepted page. */
interface Welcome {
  readonly type: 'welcome';
  readonly role: 'viewer' | 'operator' | 'admin';
}

export type GroundFrame = FleetHello | FleetUpdate | Welcome;
