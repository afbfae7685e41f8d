import { RouteReply } from '../monitors/http/route.js';

/** What {@link unknownRobot} means, for the API's description. */
export const UNKNOWN_ROBOT = 'no robot that has connected has this name or VIN';

/** The answer 404 about a robot that no live page can show. A VIN is that of the vehicle a computer is in now. */
export function unknownRobot(nameOrVin: string): RouteReply {
  const why = 'it has never connected, or its computer is in another vehicle now';
  const message = `no robot has the name or VIN ${nameOrVin}: ${why}`;
  return new RouteReply(404, { error: { code: 'NOT_FOUND', message } });
}
