import type { Fields } from './cdr-encoder.js';

/** Levels of `diagnostic_msgs/msg/DiagnosticStatus`. */
export const levels = { ok: 0, warn: 1, error: 2, stale: 3 } as const;

/** One line of a diagnostics panel. */
export interface Diagnostic {
  readonly level: number;
  /** The task, without the node. */
  readonly task: string;
  readonly message: string;
  readonly hardwareId: string;
  readonly values: Readonly<Record<string, string>>;
}

/** A diagnostic before its host adds the hardware id. */
export type DiagnosticPart = Omit<Diagnostic, 'hardwareId'>;

/** `diagnostic_msgs/msg/DiagnosticArray`; names are `node: task`, as in ROS' updater. */
export function diagnosticFields(all: readonly Diagnostic[], node: string, stamp: bigint): Fields {
  return {
    header: { stamp, frame_id: '' },
    status: all.map(({ level, task, message, hardwareId, values }) => ({
      level,
      name: `${node}: ${task}`,
      message,
      hardware_id: hardwareId,
      values: Object.entries(values).map(([key, value]) => ({ key, value })),
    })),
  };
}
