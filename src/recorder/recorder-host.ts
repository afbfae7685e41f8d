import { defined } from '../core/defined.js';
import { Emitter } from '../core/emitter.js';
import { describeError, HoldfastError } from '../core/errors.js';
import type { RecorderEvent } from '../core/events.js';
import type { MarkedEvent } from '../core/marked-event.js';
import type { TagChanges, Tags } from '../core/tags.js';
import type { Listen, Unlisten } from '../core/listen.js';
import type { Channel, Message } from '../core/message.js';
import type { SourceAlert } from '../core/source.js';
import type { RecorderStatus, TopicStats } from '../core/status.js';
import type { TransformRule } from '../core/transform/rule.js';
import { parseArguments } from './control-arguments.js';
import { changedRecorderParameters, liveRecorderParameters } from '../settings/live-parameters.js';
import type { RecorderOptions } from '../settings/recorder-options.js';
import type { MarkEventRequest, RecorderControl, RecorderPhase } from './recorder-control.js';
import { blankStatus } from './recorder-blank-status.js';
import { recorderListeners, type RecorderListeners } from './recorder-parts.js';
import { phaseStates, recorderSteps, refusal, type RecorderTransition } from './recorder-phase.js';
import type { RecorderInput } from './recorder-run.js';
import { Recorder, type RecordSummary } from './recorder.js';
import type { SystemPorts } from '../host/ports.js';

export interface RecorderHostParts {
  readonly options: RecorderOptions;
  readonly ports: SystemPorts;
  /** Creates the sources for each activation: a source is opened once. */
  readonly openInputs: (
    options: RecorderOptions,
  ) => readonly RecorderInput[] | Promise<readonly RecorderInput[]>;
}

/**
 * A recorder that can be started and stopped for as long as its process lives. Refusals are thrown at once. A
 * failed transition returns to the previous phase (a failed end: to the next phase), and status and events
 * say why.
 */
export class RecorderHost implements RecorderControl, AsyncDisposable {
  /** Called when every source of an activation has completed and everything is committed. */
  readonly onFinished: Listen<void>;
  #current: RecorderPhase = 'unconfigured';
  #recorder: Recorder | undefined;
  /** The last status before the recorder was dropped. */
  #last: { status: RecorderStatus; topics: readonly TopicStats[] };
  #lastSummary: RecordSummary | undefined;
  #failure: string | undefined;
  #transition: Promise<void> = Promise.resolve();
  #isActivationWaiting = false;
  #told = '';
  readonly #listeners: RecorderListeners;
  readonly #events: Emitter<RecorderEvent>;
  readonly #finished: Emitter<void>;
  #options: RecorderOptions;

  readonly #parts: RecorderHostParts;

  constructor(parts: RecorderHostParts) {
    this.#parts = parts;
    const { ports, options } = parts;
    this.#options = options;
    this.#listeners = recorderListeners(ports);
    this.#events = new Emitter('recorder events', ports.logger);
    this.#finished = new Emitter('the end of a recording', ports.logger);
    this.onFinished = this.#finished.listen;
    this.#last = { status: blankStatus(options, ports.clock.now()), topics: [] };
    this.#told = this.#stateText();
    this.#listeners.events.listen((event) => {
      if (event.kind === 'state') this.#tellState();
      else this.#events.emit(event);
    });
  }

  get phase(): RecorderPhase {
    return this.#current;
  }

  get onEvent(): Listen<RecorderEvent> {
    return this.#events.listen;
  }

  /** Of the last recorder that was cleaned up. */
  get summary(): RecordSummary | undefined {
    return this.#lastSummary;
  }

  tap(listener: (message: Message) => void): Unlisten {
    return this.#listeners.tap.listen(listener);
  }

  /** Channels seen so far, for live viewers. */
  channels(): Iterable<Channel> {
    return this.#recorder?.channels() ?? [];
  }

  /** Rules of `sync.transform` that sync has told; undefined: they cannot be read. */
  transform(): readonly TransformRule[] | undefined {
    return this.#recorder?.transform();
  }

  /** The latched messages that a late subscriber needs. */
  latched(): Iterable<Message> {
    return this.#recorder?.latched() ?? [];
  }

  configure(): Promise<void> {
    return this.#step('configure', async () => {
      const recorder = await Recorder.prepare(this.#options, this.#parts.ports, this.#listeners);
      await recorder.rest();
      this.#recorder = recorder;
    });
  }

  /** May follow {@link configure} at once: it waits for that transition. */
  activate(): Promise<void> {
    if (this.#current !== 'configuring') return this.#step('activate', () => this.#activateNow());
    if (this.#isActivationWaiting) {
      throw new HoldfastError(
        'STATE_REFUSED',
        'the recorder is about to be activated already, as soon as it has taken its data folder',
      );
    }
    this.#isActivationWaiting = true;
    return quiet(
      this.#transition
        .finally(() => (this.#isActivationWaiting = false))
        .then(() => this.#step('activate', () => this.#activateNow())),
    );
  }

  deactivate(): Promise<void> {
    return this.#step('deactivate', () => this.#held('stop').stop());
  }

  cleanup(): Promise<void> {
    return this.#step('cleanup', async () => {
      const recorder = this.#held('give its data folder back');
      try {
        this.#lastSummary = await recorder.close();
      } finally {
        this.#last = { status: atRest(recorder.status()), topics: recorder.topics().map(absent) };
        this.#recorder = undefined;
      }
    });
  }

  pause(): void {
    this.#active('pause').pause();
  }

  resume(): void {
    this.#active('resume').resume();
  }

  split(): Promise<void> {
    return this.#active('split').split();
  }

  markEvent({ label, beforeS, afterS }: MarkEventRequest): Promise<MarkedEvent> {
    const recorder = this.#held('mark an event');
    const args = parseArguments('mark_event', { label, before_s: beforeS, after_s: afterS });
    return recorder.markEvent({ label: args.label, beforeS: args.before_s, afterS: args.after_s });
  }

  setTags(changes: TagChanges): Promise<Tags> {
    return this.#held('set tags').setTags(changes);
  }

  reconfigure(options: RecorderOptions): readonly string[] {
    const changed = changedRecorderParameters(this.#options, options);
    if (this.#current === 'configuring' || this.#current === 'cleaning-up') {
      throw refusal('take over parameters', this.#current, ['unconfigured', 'inactive', 'active']);
    }
    const fixed = this.#recorder ? changed.filter((name) => !liveRecorderParameters.has(name)) : [];
    if (fixed.length > 0) {
      throw new HoldfastError(
        'STATE_REFUSED',
        `fixed while the recorder holds its data folder: ${fixed.join(', ')}; clean up first`,
        { facts: { fixed } },
      );
    }
    this.#options = options;
    this.#recorder?.reconfigure(options);
    return changed;
  }

  status(): RecorderStatus {
    const status = this.#recorder?.status() ?? this.#last.status;
    const state = phaseStates[this.#current] ?? status.state;
    return {
      ...status,
      state,
      ...defined({ stalledReason: this.#failure }),
    };
  }

  /** Sends a status to the servers of the sources that accept one; does nothing while it does not record. */
  alertSources(alert: SourceAlert): void {
    this.#recorder?.alertSources(alert);
  }

  topics(): readonly TopicStats[] {
    return this.#recorder?.topics() ?? this.#last.topics;
  }

  /**
   * Ends the recorder from any phase: waits for a transition under way, deactivates, cleans up. For the end
   * of the process; never rejects for earlier refusals or failures. Idempotent.
   */
  async close(): Promise<RecordSummary | undefined> {
    while (this.#current !== 'unconfigured') {
      if (this.#current === 'active') await this.deactivate().catch(logged(this.#parts.ports, 'end'));
      else if (this.#current === 'inactive') await this.cleanup();
      else await this.#transition.catch(() => undefined);
    }
    return this.#lastSummary;
  }

  /** See {@link Recorder.leaveUnsealed}. */
  leaveUnsealed(): void {
    this.#recorder?.leaveUnsealed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #activateNow(): Promise<void> {
    const inputs = await this.#parts.openInputs(this.#options);
    const recorder = this.#held('record');
    await recorder.start(inputs);
    const finish = (): void => {
      if (this.#current === 'active' && this.#recorder === recorder) this.#finished.emit();
    };
    // Subscribe after the phase has changed, because the sources may have ended already.
    void recorder.ended
      .catch(() => undefined)
      .then(() => this.#transition.catch(() => undefined).then(finish));
  }

  #step(name: RecorderTransition, work: () => Promise<void>): Promise<void> {
    const { from, during, after, failed } = recorderSteps[name];
    if (this.#current !== from) throw refusal(name === 'cleanup' ? 'clean up' : name, this.#current, [from]);
    this.#failure = undefined;
    this.#enter(during);
    this.#transition = quiet(
      work().then(
        () => this.#enter(after),
        (error: unknown) => {
          this.#failure = `${name} failed: ${describeError(error)}`;
          this.#parts.ports.logger.error('the recorder could not change its state', {
            transition: name,
            error,
          });
          this.#enter(failed);
          throw error;
        },
      ),
    );
    return this.#transition;
  }

  #enter(phase: RecorderPhase): void {
    this.#current = phase;
    this.#tellState();
  }

  #tellState(): void {
    const text = this.#stateText();
    if (text === this.#told) return;
    this.#told = text;
    const { state, stalledReason } = this.status();
    this.#events.emit({
      kind: 'state',
      state,
      ...defined({ reason: stalledReason }),
    });
  }

  #stateText(): string {
    const { state, stalledReason } = this.status();
    return `${state} ${stalledReason ?? ''}`;
  }

  #active(what: string): Recorder {
    if (this.#current !== 'active') throw refusal(what, this.#current, ['active']);
    return this.#held(what);
  }

  #held(what: string): Recorder {
    if (!this.#recorder) throw refusal(what, this.#current, ['inactive', 'active']);
    return this.#recorder;
  }
}

/** A caller may ignore this promise: an event and the status report its failure. */
function quiet(promise: Promise<void>): Promise<void> {
  promise.catch(() => undefined);
  return promise;
}

function logged({ logger }: SystemPorts, what: string): (error: unknown) => void {
  return (error) => logger.error(`the recorder did not ${what} cleanly`, { error });
}

function atRest(status: RecorderStatus): RecorderStatus {
  const none = { messagesPerS: 0, bytesPerS: 0 };
  return {
    ...status,
    rates: none,
    robots: status.robots.map((robot) => ({ ...robot, ...none })),
    lossWindow: { ...status.lossWindow, ms: 0, messages: 0, bytes: 0 },
  };
}

function absent(topic: TopicStats): TopicStats {
  return { ...topic, present: false, messagesPerS: 0, bytesPerS: 0 };
}
