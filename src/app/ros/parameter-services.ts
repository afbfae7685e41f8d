import { systemClock } from '../system/system-clock.js';
import type { Logger } from '../../core/logger.js';
import type { RosSession } from '../../sources/ros/ros-session.js';
import { NodePublisher } from './node-publisher.js';
import type { NodeServices } from './node-services.js';
import type { ParameterSet, SetResult } from './parameter-set.js';
import type { ParameterValueMessage } from './ros-value.js';
import { rosMessages } from './ros-messages.js';

interface NamesRequest {
  readonly names: readonly string[];
}
interface SetRequest {
  readonly parameters: readonly { readonly name: string; readonly value: ParameterValueMessage }[];
}

/** The six services of a node's parameters, and `/parameter_events`. */
export function serveParameters(
  parameters: ParameterSet,
  session: RosSession,
  services: NodeServices,
  logger: Logger,
): void {
  const events = NodePublisher.create(session, rosMessages.parameterEvent, '/parameter_events', logger, {
    depth: 1_000,
  });
  const node = session.node.getFullyQualifiedName();
  const tell = (kind: 'new_parameters' | 'changed_parameters', names: readonly string[]): void => {
    if (names.length === 0) return;
    const changed = names.map((name) => ({ name, value: parameters.get(name) }));
    events.publish({ stamp: systemClock.now(), node, [kind]: changed });
  };
  const set = (changes: SetRequest['parameters']): SetResult => {
    const result = parameters.set(changes);
    if (result.successful) {
      tell(
        'changed_parameters',
        changes.map(({ name }) => name),
      );
    } else {
      logger.warn('a parameter was refused', { reason: result.reason });
    }
    return result;
  };
  const serve = <Q>(service: string, name: string, answer: (request: Q) => object): void =>
    services.serve(`rcl_interfaces/srv/${service}`, `~/${name}`, answer, () => ({}));

  serve<{ prefixes: readonly string[]; depth: bigint | number }>(
    'ListParameters',
    'list_parameters',
    ({ prefixes, depth }) => ({ result: parameters.list(prefixes, Number(depth)) }),
  );
  serve<NamesRequest>('DescribeParameters', 'describe_parameters', ({ names }) => ({
    descriptors: names.map((name) => parameters.describe(name)),
  }));
  serve<NamesRequest>('GetParameters', 'get_parameters', ({ names }) => ({
    values: names.map((name) => parameters.get(name)),
  }));
  serve<NamesRequest>('GetParameterTypes', 'get_parameter_types', ({ names }) => ({
    types: names.map((name) => parameters.type(name)),
  }));
  serve<SetRequest>('SetParameters', 'set_parameters', (request) => ({
    results: request.parameters.map((one) => set([one])),
  }));
  serve<SetRequest>('SetParametersAtomically', 'set_parameters_atomically', (request) => ({
    result: set(request.parameters),
  }));
  tell('new_parameters', parameters.names);
}
