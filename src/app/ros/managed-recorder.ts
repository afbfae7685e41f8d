import type { RecorderEvent } from '../../core/events.js';
import type { MarkedEvent } from '../../core/marked-event.js';
import type { TagChanges, Tags } from '../../core/tags.js';
import type { Listen, Unlisten } from '../../core/listen.js';
import type { Channel, Message } from '../../core/message.js';
import type { RecorderStatus, TopicStats } from '../../core/status.js';
import type { TransformRule } from '../../core/transform/rule.js';
import type { RecorderOptions } from '../../settings/recorder-options.js';
import type { MarkEventRequest, RecorderControl, RecorderPhase } from '../../recorder/recorder-control.js';
import { recorderSteps, type RecorderTransition } from '../../recorder/recorder-phase.js';
import type { Lifecycle } from './lifecycle.js';

/**
 * A recorder whose transitions are also those of a lifecycle node. If a client requests one (a lifecycle
 * manager, a service, the control socket), machine and recorder perform it together.
 */
export class ManagedRecorder implements RecorderControl {
  readonly #recorder: RecorderControl;
  readonly #lifecycle: Lifecycle;

  constructor(recorder: RecorderControl, lifecycle: Lifecycle) {
    this.#recorder = recorder;
    this.#lifecycle = lifecycle;
  }

  get phase(): RecorderPhase {
    return this.#recorder.phase;
  }

  get onEvent(): Listen<RecorderEvent> {
    return this.#recorder.onEvent;
  }

  configure(): Promise<void> {
    return this.#step('configure');
  }

  activate(): Promise<void> {
    return this.#step('activate');
  }

  deactivate(): Promise<void> {
    return this.#step('deactivate');
  }

  cleanup(): Promise<void> {
    return this.#step('cleanup');
  }

  #step(transition: RecorderTransition): Promise<void> {
    const { from, failed } = recorderSteps[transition];
    return this.#lifecycle.perform(
      transition,
      () => this.#recorder[transition](),
      failed === from ? 'back' : 'there',
    );
  }

  pause(): void {
    this.#recorder.pause();
  }

  resume(): void {
    this.#recorder.resume();
  }

  split(): Promise<void> {
    return this.#recorder.split();
  }

  markEvent(request: MarkEventRequest): Promise<MarkedEvent> {
    return this.#recorder.markEvent(request);
  }

  setTags(changes: TagChanges): Promise<Tags> {
    return this.#recorder.setTags(changes);
  }

  reconfigure(options: RecorderOptions): readonly string[] {
    return this.#recorder.reconfigure?.(options) ?? [];
  }

  status(): RecorderStatus {
    return this.#recorder.status();
  }

  topics(): readonly TopicStats[] {
    return this.#recorder.topics();
  }

  channels(): Iterable<Channel> {
    return this.#recorder.channels?.() ?? [];
  }

  /** Rules of `sync.transform` that sync has told; undefined: they cannot be read. */
  transform(): readonly TransformRule[] | undefined {
    return this.#recorder.transform();
  }

  latched(): Iterable<Message> {
    return this.#recorder.latched?.() ?? [];
  }

  tap(listener: (message: Message) => void): Unlisten {
    return this.#recorder.tap(listener);
  }
}
