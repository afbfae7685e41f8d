import type { lifecycle, Node } from 'rclnodejs';
import { describeError, HoldfastError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { guard } from '../../sources/ros/guard.js';
import type { RosSession } from '../../sources/ros/ros-session.js';
import type { NodeServices } from './node-services.js';

/**
 * Transitions that clients may request: configure, cleanup, activate, deactivate, and shutdown from three
 * states.
 */
const publicIds = { 1: 'configure', 2: 'cleanup', 3: 'activate', 4: 'deactivate', 5: 'shutdown', 6: 'shutdown', 7: 'shutdown' } as const; // prettier-ignore

export type LifecycleTransition = (typeof publicIds)[keyof typeof publicIds];

/** How the state machine receives the end of a transition. */
const ends = { success: 'transition_success', failure: 'transition_failure' } as const;

/** The native functions behind rclnodejs' lifecycle node. */
interface LifecycleNative {
  triggerLifecycleTransitionByLabel(machine: unknown, label: string): { id: number; label: string };
  getLifecycleTransitionByLabel(machine: unknown, label: string): { id?: number };
}

interface ChangeRequest {
  readonly transition: { readonly id: number; readonly label: string };
}

interface Labelled {
  readonly id: number;
  readonly label: string;
}
interface Description {
  readonly transition: Labelled;
  readonly startState: Labelled;
  readonly goalState: Labelled;
}
interface ListResponse {
  send(message: { available_transitions: readonly object[] }): void;
}

interface MachineNode extends lifecycle.LifecycleNode {
  readonly _stateMachineHandle: unknown;
  init(communication: boolean): void;
  _onGetAvailableTransitions(request: object, response: ListResponse): unknown;
  _onChangeState(request: ChangeRequest, response: { send(message: { success: boolean }): void }): unknown;
}

/**
 * The lifecycle services and state machine of a managed node. rclnodejs requires that a transition ends in
 * the callback that begins it (one that returns a promise ends the process), although rcl does not. Here the
 * machine stays in `configuring`, `activating` and so on for as long as the transition takes, and the answer
 * comes afterwards.
 */
export class Lifecycle {
  readonly #node: MachineNode;
  readonly #native: LifecycleNative;

  readonly #session: RosSession;
  readonly #logger: Logger;

  /**
   * Turns the session's node into a managed one. `onRequest` handles a transition; it must call {@link
   * perform}.
   */
  constructor(
    session: RosSession,
    logger: Logger,
    services: NodeServices,
    onRequest: (transition: LifecycleTransition) => Promise<void>,
  ) {
    this.#session = session;
    this.#logger = logger;
    this.#native = session.ros.native as unknown as LifecycleNative;
    // Whether a node is managed is a parameter, which is known only once it has its name. That is too late
    // for the constructor of a lifecycle node, which adds nothing but this.
    this.#node = session.change((node: Node) => {
      const machine = Object.setPrototypeOf(
        node,
        session.rcl.lifecycle.LifecycleNode.prototype,
      ) as MachineNode;
      machine.init(true);
      return machine;
    });
    this.#offerGraph(services);
    this.#node._onChangeState = (request, response) => {
      void this.#answer(request, onRequest).then((success) => {
        if (!this.#session.isClosed) response.send({ success });
      });
    };
  }

  /** rclnodejs omits the target states of transitions, and has no service for the whole graph. */
  #offerGraph(services: NodeServices): void {
    const messages = (all: readonly lifecycle.TransitionDescription[]): object[] =>
      (all as unknown as readonly Description[]).map(({ transition, startState, goalState }) => ({
        transition: { id: transition.id, label: transition.label },
        start_state: { id: startState.id, label: startState.label },
        goal_state: { id: goalState.id, label: goalState.label },
      }));
    this.#node._onGetAvailableTransitions = guard(
      'get_available_transitions',
      (_request: object, response: ListResponse) =>
        response.send({ available_transitions: messages(this.#node.availableTransitions) }),
      this.#logger,
    );
    services.serve(
      'lifecycle_msgs/srv/GetAvailableTransitions',
      '~/get_transition_graph',
      () => ({ available_transitions: messages(this.#node.transitions) }),
      () => ({}),
    );
  }

  get state(): string {
    return (this.#node.currentState as unknown as { label: string }).label;
  }

  /**
   * Begins a transition and ends it when `work` has. Throws `STATE_REFUSED` at once if the machine does not
   * have this transition now, and any error that `work` throws at once; rejects with its rejection.
   *
   * @param failed - The state after a failure of `work`: the old one, or the new one anyway.
   */
  perform(
    transition: LifecycleTransition,
    work: () => Promise<void>,
    failed: 'back' | 'there',
  ): Promise<void> {
    const from = this.state;
    try {
      this.#trigger(transition);
    } catch (cause) {
      throw new HoldfastError('STATE_REFUSED', `there is no transition ${transition} from ${from}`, {
        cause,
      });
    }
    let working: Promise<void>;
    try {
      working = work();
    } catch (error) {
      this.#trigger(ends.failure);
      throw error;
    }
    return working.then(
      () => this.#trigger(ends.success),
      (error: unknown) => {
        this.#trigger(failed === 'there' ? ends.success : ends.failure);
        throw error;
      },
    );
  }

  /** Never rejects. */
  async #answer(
    { transition }: ChangeRequest,
    onRequest: (transition: LifecycleTransition) => Promise<void>,
  ): Promise<boolean> {
    const wanted =
      transition.label === ''
        ? (publicIds as Readonly<Record<number, string>>)[transition.id]
        : transition.label;
    try {
      const known = Object.values(publicIds).find((one) => one === wanted);
      if (known === undefined) {
        const asked = transition.label === '' ? String(transition.id) : transition.label;
        throw new HoldfastError('STATE_REFUSED', `there is no transition ${asked} to ask for`);
      }
      await onRequest(known);
      return true;
    } catch (error) {
      this.#logger.warn('a transition was refused or failed', {
        transition: wanted ?? transition.id,
        reason: describeError(error),
      });
      return false;
    }
  }

  #trigger(label: string): void {
    // The machine's memory is freed with the node.
    if (this.#session.isClosed) return;
    this.#native.triggerLifecycleTransitionByLabel(this.#node._stateMachineHandle, label);
  }
}
