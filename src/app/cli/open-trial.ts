import { HoldfastError } from '../../core/errors.js';
import type { RobotRegistry } from '../../ground/robot-registry.js';
import { isLoopback } from '../../monitors/http/request-checks.js';
import type { Route } from '../../monitors/http/route.js';
import type { Invocation } from './command-definition.js';
import { sharesDatabase } from './open-ground-registry.js';

/** The bundled fleet over HTTP. */
export interface OpenTrial extends AsyncDisposable {
  readonly routes: readonly Route[];
  /** Another certificate of the ground, as PEM: the vehicles trust it from now on. */
  readonly renew: (certificate: string) => void;
}

/**
 * The fleet may be played if only this machine reaches the ground, or if `--try-it` allows it. Throws
 * `REQUEST_INVALID` if it cannot be.
 *
 * @param place - Where the ground listens; the port is known later. `certificate`, as PEM: it has TLS.
 */
export async function openTrial(
  registry: RobotRegistry,
  place: {
    readonly address: string;
    readonly port: () => number;
    readonly certificate: string | undefined;
  },
  invocation: Invocation,
): Promise<OpenTrial> {
  const { options, logger } = invocation;
  const { trialRoutes } = await import('../../ground/trial-routes.js');
  const isPossible = !sharesDatabase(invocation);
  if (options['tryIt'] === true && !isPossible)
    throw new HoldfastError(
      'REQUEST_INVALID',
      '--try-it is given with --database postgres://, allowed: without it',
    );
  if (!isPossible || !(isLoopback(place.address) || options['tryIt'] === true))
    return {
      ...{ routes: trialRoutes(undefined), renew: () => undefined },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  const { TrialVehicles } = await import('./trial-vehicles.js');
  const host = ['0.0.0.0', '::'].includes(place.address) ? '127.0.0.1' : place.address;
  const vehicles = new TrialVehicles({ registry, ground: { host, port: place.port }, logger });
  if (place.certificate !== undefined) vehicles.trust(place.certificate);
  return {
    routes: trialRoutes(vehicles),
    renew: (certificate) => vehicles.trust(certificate),
    [Symbol.asyncDispose]: () => vehicles[Symbol.asyncDispose](),
  };
}
