import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import type { Message } from '../../../../src/core/message.js';
import { createRosSource, type RosSource } from '../../../../src/sources/ros/ros-source.js';
import { parseSourceUri } from '../../../../src/sources/source-uri.js';
import { stringOf } from '../../../support/ros-publisher.js';
import { Probe, type ProbeOptions } from '../../../../src/testing/source-probe.js';
import { eventually } from '../../../../src/testing/waiting.js';

const probes: Probe[] = [];

/** A source `ros:` that is being read. */
export class LiveSource {
  readonly #byTopic: ReadonlyMap<string, readonly Message[]>;

  private constructor(
    readonly source: RosSource,
    readonly probe: Probe,
    byTopic: ReadonlyMap<string, readonly Message[]>,
  ) {
    this.#byTopic = byTopic;
  }

  static open(uri: string, options: ProbeOptions = {}): LiveSource {
    // The suites run once per receiver.
    const receive = process.env.HOLDFAST_TEST_RECEIVE ?? 'rclnodejs';
    const text = `${uri}${uri.includes('?') ? '&' : '?'}receive=${receive}`;
    const source = createRosSource(parseSourceUri(text), { fs, env: process.env });
    const byTopic = new Map<string, Message[]>();
    const probe = new Probe(source, {
      ...options,
      onEvent: (event, self) => {
        options.onEvent?.(event, self);
        if (event.kind !== 'message') return;
        const list = byTopic.get(event.channel.topic);
        if (list === undefined) byTopic.set(event.channel.topic, [event]);
        else list.push(event);
      },
    });
    probes.push(probe);
    return new LiveSource(source, probe, byTopic);
  }

  messages(topic: string, robot?: string): readonly Message[] {
    const all = this.#byTopic.get(topic) ?? [];
    return robot === undefined ? all : all.filter(({ channel }) => channel.robot === robot);
  }

  texts(topic: string, robot?: string): readonly string[] {
    return this.messages(topic, robot).map(({ data }) => stringOf(data));
  }

  channel(topic: string) {
    return this.probe.channels.findLast((channel) => channel.topic === topic);
  }

  gone(topic: string): number {
    return this.probe.events.filter((event) => event.kind === 'channel-gone' && event.channel.topic === topic)
      .length;
  }

  problems(topic: string): readonly string[] {
    return this.source
      .report()
      .flatMap(({ problems }) => problems)
      .filter((problem) => problem.topic === topic)
      .map(({ kind }) => kind);
  }

  /** Waits until a topic is announced. */
  async announced(topic: string): Promise<void> {
    await eventually(() => this.channel(topic) !== undefined || this.probe.ended, `channel ${topic}`, 20_000);
    assert.equal(this.probe.error, undefined);
  }

  /** Waits for so many messages of a topic. */
  async received(topic: string, count: number, timeoutMs = 20_000): Promise<void> {
    const enough = (): boolean => this.messages(topic).length >= count;
    await eventually(enough, `${count} messages of ${topic}`, timeoutMs).catch((error: unknown) => {
      throw new Error(`only ${this.messages(topic).length} of ${count} messages of ${topic} came`, {
        cause: error,
      });
    });
  }

  /** Ends it; everything it took in has been emitted. */
  async end(): Promise<void> {
    this.probe.abort();
    await this.probe.end();
    assert.equal(this.probe.error, undefined);
  }
}

/** For `afterEach`. */
export async function endLiveSources(): Promise<void> {
  for (const probe of probes.splice(0)) {
    probe.abort();
    await probe.end().catch(() => undefined);
  }
}

/** `prefix0`, `prefix1`, ... */
export function numbered(count: number, prefix = ''): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}
