import type { Channel } from '../../core/message.js';
import type { Source, SourceContext } from '../../core/source.js';
import { runSource, settledBefore, type SourceRun } from '../source-runner.js';
import type { SourceUri } from '../source-uri.js';
import type { Generator, SimMessage } from '../../simulation/generator.js';
import { createFleetSource } from './fleet-source.js';
import { Pacer } from '../pacer.js';
import { readSimUri, type SimPlan } from './sim-options.js';
import { toChannel } from '../../simulation/to-channel.js';

/**
 * Creates the source of a `sim:` URI: a simulation inside this process (`sim:?robots=3`), or the client of a
 * fleet process (`sim://host:port`).
 *
 * @throws HoldfastError CONFIG_INVALID with all faults of the URI.
 */
export function createSimSource(uri: SourceUri): Source {
  if (uri.path.startsWith('//')) return createFleetSource(uri);
  const plan = readSimUri(uri);
  return {
    uri: uri.text,
    supports: {
      finite: plan.durationMs !== undefined,
      backpressure: true,
      sequences: true,
      acknowledgement: false,
    },
    open: (context) => runSource(context, (run) => simulate(plan, context, run)),
  };
}

async function simulate(plan: SimPlan, context: SourceContext, { emit, signal }: SourceRun): Promise<void> {
  const { clock } = context;
  const generator = plan.generator(clock.now());
  const channels = generator.channels.map((channel) => toChannel(channel, context));
  emit({ kind: 'state', state: 'open' });
  for (const channel of channels) if (channel !== undefined) emit({ kind: 'channel', channel });
  const give = deliverer(plan, context, channels, { emit, signal });
  const pacer = new Pacer(clock, plan.speed);
  const endUs = plan.durationMs === undefined ? Infinity : plan.durationMs * 1_000;
  while (generator.elapsedUs < endUs) {
    if (!(await pacer.until(generator.nextUs, signal))) return;
    if (!(await give(stepOf(generator, channels)))) return;
  }
  emit({ kind: 'state', state: 'done' });
}

function stepOf(generator: Generator, channels: readonly (Channel | undefined)[]): SimMessage[] {
  return generator.step((channel) => channels[channel] !== undefined);
}

/** Passes messages on one by one, waiting when the pipeline requires it; false: the signal aborted. */
function deliverer(
  plan: SimPlan,
  { clock, flow }: SourceContext,
  channels: readonly (Channel | undefined)[],
  { emit, signal }: SourceRun,
): (messages: readonly SimMessage[]) => Promise<boolean> {
  // At another speed than real time the recording keeps simulated time; otherwise it would be compressed.
  const isRealTime = plan.speed === 1;
  return async (messages) => {
    let now = clock.now();
    for (const { channel: index, sequence, stamp, data } of messages) {
      const ready = flow.whenReady();
      if (ready !== undefined) {
        if (!(await settledBefore(ready, signal))) return false;
        now = clock.now();
      }
      if (signal.aborted) return false;
      const channel = channels[index];
      if (channel === undefined) continue;
      const receivedAt = isRealTime ? now : stamp;
      emit({ kind: 'message', channel, data, receivedAt, publishedAt: stamp, sourceSequence: sequence });
    }
    return true;
  };
}
