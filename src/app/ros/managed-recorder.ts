import type { Listen, MarkedEvent, RecorderEvent, Unlisten } from '../../core/events.js';
import type { Channel, Message } from '../../core/message.js';
import type { RecorderStatus, TopicStats } from '../../core/status.js';
import type { RecorderOptions } from '../parameters/recorder-options.js';
import type { MarkEventRequest, RecorderControl, RecorderPhase } from '../recorder-control.js';
import { recorderSteps, type RecorderTransition } from '../recorder-phase.js';
import type { Lifecycle } from './lifecycle.js';

/**
 * A recorder whose transitions are those of a lifecycle node too: whoever asks for one (a lifecycle manager, a
 * service, the control socket), machine and recorder go through it together.
 */
export class ManagedRecorder implements RecorderControl {
  constructor(
    private readonly recorder: RecorderControl,
    private readonly lifecycle: Lifecycle,
  ) {}

  get phase(): RecorderPhase {
    return this.recorder.phase;
  }

  get onEvent(): Listen<RecorderEvent> {
    return this.recorder.onEvent;
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
    return this.lifecycle.perform(
      transition,
      () => this.recorder[transition](),
      failed === from ? 'back' : 'there',
    );
  }

  pause(): void {
    this.recorder.pause();
  }

  resume(): void {
    this.recorder.resume();
  }

  split(): Promise<void> {
    return this.recorder.split();
  }

  markEvent(request: MarkEventRequest): Promise<MarkedEvent> {
    return this.recorder.markEvent(request);
  }

  reconfigure(options: RecorderOptions): readonly string[] {
    return this.recorder.reconfigure?.(options) ?? [];
  }

  status(): RecorderStatus {
    return this.recorder.status();
  }

  topics(): readonly TopicStats[] {
    return this.recorder.topics();
  }

  channels(): Iterable<Channel> {
    return this.recorder.channels?.() ?? [];
  }

  latched(): Iterable<Message> {
    return this.recorder.latched?.() ?? [];
  }

  tap(listener: (message: Message) => void): Unlisten {
    return this.recorder.tap(listener);
  }
}
