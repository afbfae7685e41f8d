import { NS_PER_MS } from '../../core/clock.js';
import type { SyncStatus } from '../../core/status.js';
import { humanBytes, humanDuration } from '../../host/human.js';
import { levels, type Diagnostic, type DiagnosticPart } from './diagnostic.js';

export function syncDiagnostics(status: SyncStatus, robot: string, nowNs: bigint): Diagnostic[] {
  return [linkDiagnostic(status, nowNs), uploadsDiagnostic(status, nowNs)].map((one) => ({
    ...one,
    hardwareId: robot,
  }));
}

function linkDiagnostic(status: SyncStatus, nowNs: bigint): DiagnosticPart {
  const { link, lastError, nextRetryInMs } = status;
  // An alarm without a segment concerns the whole store: nothing continues until a user acts.
  const alarm = status.alarms.find(({ segment }) => segment === '');
  const isOffline = link === 'offline';
  const age = since(status.linkSince, nowNs);
  return {
    level: alarm ? levels.error : isOffline ? levels.warn : levels.ok,
    task: 'link',
    message: alarm
      ? `${alarm.code}: ${alarm.message}`
      : isOffline
        ? `offline for ${age}${lastError === undefined ? '' : `: ${lastError}`}`
        : `${link} for ${age}`,
    values: {
      link,
      store: status.store,
      'next try in': nextRetryInMs === undefined ? '-' : humanDuration(nextRetryInMs),
      'failed calls': String(status.uploadErrors),
      'last error': lastError ?? '-',
      'store refuses': status.storeRefuses?.what ?? '-',
    },
  };
}

function uploadsDiagnostic(status: SyncStatus, nowNs: bigint): DiagnosticPart {
  const { segments, bytes, alarms, current } = status;
  const parked = alarms.find(({ segment }) => segment !== '');
  return {
    level: parked !== undefined || segments.parked > 0 ? levels.error : levels.ok,
    task: 'uploads',
    message:
      parked !== undefined
        ? `${segments.parked} parked, ${segments.lost ?? 0} lost: ${parked.robot} ${parked.segment}: ${parked.code}: ${parked.message}`
        : `${segments.pending} segments pending, ${humanBytes(bytes.pending)}`,
    values: {
      pending: `${segments.pending}, ${humanBytes(bytes.pending)}`,
      verified: `${segments.verified}, ${humanBytes(bytes.verified)}`,
      parked: String(segments.parked),
      lost: String(segments.lost ?? 0),
      sending: `${humanBytes(status.transferBytesPerS)}/s`,
      'current segment':
        current === undefined ? '-' : `${current.segment} ${Math.floor(current.progress * 100)} %`,
      ...Object.fromEntries(
        (status.sinks ?? []).map((sink) => [
          `sink ${sink.name}`,
          `${sink.link}, ${sink.segments.pending} pending, ${sink.segments.parked} parked, ` +
            `${sink.segments.lost ?? 0} lost`,
        ]),
      ),
      'oldest unsynced': status.oldestUnsyncedAt === undefined ? '-' : since(status.oldestUnsyncedAt, nowNs),
    },
  };
}

function since(timeNs: string, nowNs: bigint): string {
  return humanDuration(Math.max(0, Number((nowNs - BigInt(timeNs)) / NS_PER_MS)));
}
