import type { MonitoredRecorder } from '../../core/monitoring.js';
import type { TransformRule } from '../../core/transform/rule.js';

/**
 * The rules of the recorder's configuration and those of sync, each once. Sync can run with another configuration, and a
 * recorder that starts before it knows only its own.
 */
export function rulesInForce(
  own: readonly TransformRule[],
  recorder: Pick<MonitoredRecorder, 'transform'>,
): () => readonly TransformRule[] | undefined {
  let told: readonly TransformRule[] | undefined = [];
  let rules: readonly TransformRule[] | undefined = own;
  return () => {
    const now = recorder.transform();
    if (textsOf(now) === textsOf(told)) return rules;
    told = now;
    const texts = new Set(own.map(({ text }) => text));
    return (rules = now && [...own, ...now.filter(({ text }) => !texts.has(text))]);
  };
}

function textsOf(rules: readonly TransformRule[] | undefined): string | undefined {
  return rules && JSON.stringify(rules.map(({ text }) => text));
}
