import type { SourceOptions } from './recorder-options.js';

export const SOURCE_SPEC_FORM =
  '[ROBOT=]URI or @namespace=URI, with a URI such as ros:, sim:, mcap:PATH, csv:FILE, udp://group:port, kafka://host:port/topic?group=NAME or foxglove:ws://host:port';

const NAMESPACE = '@namespace';

/** A `--source` before the general robot settings are applied. */
export interface SourceSpec {
  readonly uri: string;
  /** The robot before the URI. */
  readonly robot?: string;
  readonly robotFromNamespace?: true;
}

/**
 * Parses `[ROBOT=]URI` or `@namespace=URI`. The text before an `=` is a robot only if it contains no `:`, so
 * `mcap:bag?speed=2` is a URI as a whole. `undefined` if there is no URI.
 */
export function parseSourceSpec(text: string): SourceSpec | undefined {
  const trimmed = text.trim();
  const match = /^([^:=]+)=(.*)$/s.exec(trimmed);
  const uri = match ? match[2]! : trimmed;
  if (!/^[a-z][a-z0-9+.-]*:/i.test(uri)) return undefined;
  if (!match) return { uri };
  return match[1] === NAMESPACE ? { uri, robotFromNamespace: true } : { uri, robot: match[1]! };
}

/** Sources whose topics always begin with the names of their robots. */
const FLEET_SOURCE = /^(sim|udp|csv):/i;

/** Fills in what the source did not state itself. */
export function completeSource(
  spec: SourceSpec,
  general: { readonly robot: string; readonly robotFromNamespace: boolean },
): SourceOptions {
  const fleet = FLEET_SOURCE.test(spec.uri);
  return Object.freeze({
    uri: spec.uri,
    robot: spec.robot ?? general.robot,
    robotFromNamespace:
      spec.robot === undefined && (spec.robotFromNamespace ?? (general.robotFromNamespace || fleet)),
  });
}
