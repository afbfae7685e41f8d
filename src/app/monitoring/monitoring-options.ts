import { isAbsolute, join } from 'node:path';
import type { TransformRule } from '../../core/transform/rule.js';
import type { AlertLimits } from '../../monitors/alerts/alert-rules.js';
import { isLoopback } from '../../monitors/http/request-checks.js';
import { CrossCheck } from '../../settings/cross-check.js';
import { deepFreeze } from '../../settings/deep-freeze.js';
import type { FieldRule } from '../../settings/field-rule.js';
import type { ParameterValues } from '../../settings/parameter-table.js';
import type { Resolved } from '../../settings/resolve.js';

interface ListenOptions {
  readonly enabled: boolean;
  readonly address: string;
  readonly port: number;
  readonly tries: number;
  readonly maxClients: number;
}

/** The uplink to a ground service. */
export interface UplinkOptions {
  /** Empty: none. */
  readonly url: string;
  readonly tokenFile: string;
  /** Credentials for NATS; empty: none. */
  readonly credsFile: string;
  /** Certificates that are trusted at the ground; empty: those of the system. */
  readonly certificateFile: string;
  /** The first rule that matches a path counts. */
  readonly fields: readonly FieldRule[];
  readonly defaultFields: boolean;
  /** False: every command of the ground is refused. */
  readonly commands: boolean;
  /** Of each robot; 0: no samples are kept. */
  readonly outboxMaxBytes: number;
  readonly outboxPaceMs: number;
  /** File of symmetric keys that encrypt the outbox; empty: it is readable. */
  readonly atRestKey: string;
  /** `sync.transform` of this configuration; sync may have others. */
  readonly transform: readonly TransformRule[];
  /** The data folder. */
  readonly data: string;
}

/** Options for watching and controlling; checked, with all defaults filled in, and frozen. */
export interface MonitoringOptions {
  /** The data folder's path. */
  readonly data: string;
  readonly web: ListenOptions & {
    /** Empty: no tokens. */
    readonly tokenFile: string;
    readonly allowedHosts: readonly string[];
    readonly intervalMs: number;
  };
  readonly foxglove: ListenOptions & {
    readonly clientMaxBytes: number;
    readonly allowedOrigins: readonly string[];
    /** Ports of the sources: a recorded Foxglove server may start later. */
    readonly avoid: readonly number[];
  };
  readonly metricsMaxTopics: number;
  readonly alerts: AlertLimits;
  /** Empty: none. */
  readonly webhook: string;
  readonly ground: UplinkOptions;
}

/** Throws `CONFIG_INVALID` with all faults. */
export function compileMonitoringOptions(resolved: Resolved): MonitoringOptions {
  const { values } = resolved;
  const check = new CrossCheck(resolved);
  if (values['web.enabled'] && !isLoopback(values['web.host']) && values['web.token_file'] === '') {
    check.fault(
      'web.host',
      values['web.host'],
      'a loopback address (127.0.0.1, ::1, localhost), or any together with web.token_file',
    );
  }
  if (values['ground.url'] !== '' && values['ground.token_file'] === '') {
    check.missing('ground.token_file', 'the file with the tokens of holdfast ground enrol');
  }
  // Without TLS nothing would be compared with the file, and nobody would notice.
  if (values['ground.certificate_file'] !== '' && /^(ws|nats):/.test(values['ground.url'])) {
    check.fault(
      'ground.url',
      values['ground.url'],
      'wss:// or natss:// together with ground.certificate_file',
    );
  }
  check.done();
  return deepFreeze({
    data: values.data,
    web: {
      enabled: values['web.enabled'],
      address: values['web.host'],
      port: values['web.port'],
      tries: values['web.port_tries'],
      maxClients: values['web.max_clients'],
      tokenFile: values['web.token_file'],
      allowedHosts: listed(values['web.allowed_hosts']),
      intervalMs: values['web.interval_ms'],
    },
    foxglove: {
      enabled: values['foxglove.enabled'],
      address: values['foxglove.host'],
      port: values['foxglove.port'],
      tries: values['foxglove.port_tries'],
      maxClients: values['foxglove.max_clients'],
      clientMaxBytes: values['foxglove.client_max_bytes'],
      allowedOrigins: listed(values['foxglove.allowed_origins']).map((origin) => origin.replace(/\/$/, '')),
      avoid: values.sources.flatMap(({ uri }) => portOf(uri)),
    },
    metricsMaxTopics: values['metrics.max_topics'],
    alerts: {
      lossWindowMs: values['alerts.loss_window_ms'],
      diskTimeToFullMs: values['alerts.disk_time_to_full_ms'],
      syncStalledMs: values['alerts.sync_stalled_ms'],
      linkDownMs: values['alerts.link_down_ms'],
    },
    webhook: values['alerts.webhook'],
    ground: {
      url: values['ground.url'],
      tokenFile: values['ground.token_file'],
      credsFile: values['ground.creds_file'],
      certificateFile: values['ground.certificate_file'],
      fields: values['ground.fields'],
      defaultFields: values['ground.default_fields'],
      commands: values['ground.commands'],
      outboxMaxBytes: values['ground.outbox_max_bytes'],
      outboxPaceMs: values['ground.outbox_pace_ms'],
      atRestKey: values['encryption.at_rest_key'],
      transform: values['sync.transform'],
      data: values.data,
    },
  });
}

/** The log file of a role; `undefined`: none. */
export function logFilePath(values: ParameterValues, role: 'recorder' | 'sync'): string | undefined {
  const path = values['log.file'];
  if (path === '') return undefined;
  if (path === 'auto') return join(values.data, 'log', `${role}.log`);
  return isAbsolute(path) ? path : join(process.cwd(), path);
}

function listed(text: string): string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

/** The port of a WebSocket source; default 8765. */
function portOf(uri: string): number[] {
  const match = /^foxglove:wss?:\/\/[^/?]*?(?::(\d+))?(?:[/?]|$)/i.exec(uri);
  return match ? [Number(match[1] ?? 8_765)] : [];
}
