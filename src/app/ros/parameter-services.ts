import { systemClock } from '../../host/system-clock.js';
import { HoldfastError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { MonitoredParameters } from '../../core/monitoring.js';
import { defaultQos, type Qos } from '../../core/ros/qos.js';
import type { RosSession } from '../../sources/ros/ros-session.js';
import { NodePublisher } from './node-publisher.js';
import type { NodeServices } from './node-services.js';
import type { ParameterSet, RawChange, SetResult } from './parameter-set.js';
import { rawOfMessage, type ParameterValueMessage } from './ros-value.js';
import { rosMessages } from './ros-messages.js';

interface NamesRequest {
  readonly names: readonly string[];
}
interface SetRequest {
  readonly parameters: readonly { readonly name: string; readonly value: ParameterValueMessage }[];
}

/** rcl's `rmw_qos_profile_parameter_events`. */
const eventQos: Qos = { ...defaultQos, depth: 1_000 };

/** The six services of a node's parameters, and `/parameter_events`; returns them for other clients. */
export function serveParameters(
  parameters: ParameterSet,
  session: RosSession,
  services: NodeServices,
  logger: Logger,
): MonitoredParameters {
  const { parameterEvent } = rosMessages;
  const events = NodePublisher.create(session, parameterEvent, '/parameter_events', logger, eventQos);
  const node = session.node.getFullyQualifiedName();
  const tell = (kind: 'new_parameters' | 'changed_parameters', names: readonly string[]): void => {
    if (names.length === 0) return;
    const changed = names.map((name) => ({ name, value: parameters.get(name) }));
    events.publish({ stamp: systemClock.now(), node, [kind]: changed });
  };
  const setRaw = (changes: readonly RawChange[]): SetResult => {
    const result = parameters.setRaw(changes);
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
  const set = (changes: SetRequest['parameters']): SetResult =>
    setRaw(changes.map(({ name, value }) => ({ name, raw: rawOfMessage(value) })));
  const serve = (service: string, name: string, answer: (request: never) => object): void =>
    services.serve(`rcl_interfaces/srv/${service}`, `~/${name}`, answer, () => ({}));

  serve(
    'ListParameters',
    'list_parameters',
    ({ prefixes, depth }: { prefixes: readonly string[]; depth: bigint | number }) => ({
      result: parameters.list(prefixes, Number(depth)),
    }),
  );
  serve('DescribeParameters', 'describe_parameters', ({ names }: NamesRequest) => ({
    descriptors: names.map((name) => parameters.describe(name)),
  }));
  serve('GetParameters', 'get_parameters', ({ names }: NamesRequest) => ({
    values: names.map((name) => parameters.get(name)),
  }));
  serve('GetParameterTypes', 'get_parameter_types', ({ names }: NamesRequest) => ({
    types: names.map((name) => parameters.type(name)),
  }));
  serve('SetParameters', 'set_parameters', (request: SetRequest) => ({
    results: request.parameters.map((one) => set([one])),
  }));
  serve('SetParametersAtomically', 'set_parameters_atomically', (request: SetRequest) => ({
    result: set(request.parameters),
  }));
  tell('new_parameters', parameters.names);
  return {
    list: () => parameters.live(),
    set: (name, raw) => {
      const { successful, reason } = setRaw([{ name, raw }]);
      if (!successful) throw new HoldfastError('STATE_REFUSED', reason);
    },
  };
}
