import * as fs from 'node:fs/promises';
import type { Gap } from '../../../src/core/gap.js';
import type { Message } from '../../../src/core/message.js';
import type { SourceContext } from '../../../src/core/source.js';
import { createKafkaSource } from '../../../src/sources/kafka/kafka-source.js';
import { parseSourceUri } from '../../../src/sources/source-uri.js';
import {
  Probe,
  recordingLogger,
  type LogLine,
  type ProbeOptions,
} from '../../../src/testing/source-probe.js';
import { eventually } from '../../../src/testing/waiting.js';
import { ScriptedKafka } from '../../support/scripted-kafka.js';
import { SimulatedClock } from '../../support/simulated-clock.js';

/** A Kafka source in front of a scripted cluster with topic `t`, on a clock that only a test moves. */
export class ScriptedSource {
  readonly kafka = new ScriptedKafka();
  readonly clock = new SimulatedClock();
  readonly lines: LogLine[] = [];
  readonly #probes: Probe[] = [];

  constructor(partitions = 1) {
    this.clock.nowMs = 1_795_000_000_000;
    this.kafka.create('t', partitions);
  }

  /** Opens the source once more; by default every message is durable at once. */
  async open(query = '', context: Partial<SourceContext> = {}, options: ProbeOptions = {}): Promise<Probe> {
    const uri = parseSourceUri(`kafka://broker:9092/t?group=g${query}`);
    const source = await createKafkaSource(uri, { fs, load: this.kafka.load });
    const probe = new Probe(source, {
      ...{ clock: this.clock, logger: recordingLogger(this.lines), robotOf: () => 'robot1' },
      onEvent: (one) => {
        if (one.kind === 'message') one.ack?.();
      },
      ...context,
      ...options,
    });
    this.stats = () => ({ ...source.stats?.() });
    this.#probes.push(probe);
    return probe;
  }

  stats: () => Readonly<Record<string, unknown>> = () => ({});

  produce(...values: string[]): void {
    this.kafka.produce(
      't',
      values.map((value) => ({ value })),
    );
  }

  /** Lets time pass in steps until the check holds. */
  async passUntil(check: () => boolean, what: string, stepMs = 250): Promise<void> {
    await eventually(
      async () => {
        if (check()) return true;
        await this.clock.advance(stepMs);
        return check();
      },
      what,
      10_000,
    );
  }

  /** Ends what was opened. */
  end(): void {
    for (const probe of this.#probes) probe.unsubscribe();
  }
}

export const textsOf = ({ messages }: Probe): string[] =>
  messages.map(({ data }: Message) => Buffer.from(data).toString());

export const gapsOf = ({ events }: Probe): Omit<Gap, 'id'>[] =>
  events.flatMap((one) => (one.kind === 'gap' ? [one.gap] : []));

export const statesOf = ({ events }: Probe): string[] =>
  events.flatMap((one) => (one.kind === 'state' ? [`${one.state} ${one.detail ?? ''}`.trim()] : []));
