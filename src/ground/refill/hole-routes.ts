import { RouteReply, type Route } from '../../monitors/http/route.js';
import { object, said, whole } from '../../monitors/http/schemas.js';
import type { HoleCounts } from './hole-book.js';

export interface HoleRouteParts {
  /** The name of a robot that is known, by its name or VIN. */
  readonly nameOf: (robot: string) => string | undefined;
  readonly countsOf: (robot: string) => Promise<HoleCounts>;
}

/** The holes of the history over HTTP. */
export function holeRoutes({ nameOf, countsOf }: HoleRouteParts): readonly Route[] {
  return [
    {
      ...{ method: 'GET', path: '/api/robots/:robot/holes', role: 'viewer' },
      summary: 'How many holes of its history are open, and how many were filled in from segments',
      answer: object({
        open: said(whole, 'they wait for their segments'),
        ...{ filled: whole, lost: said(whole, 'their samples are older than samples are kept') },
        values: said(whole, 'of single fields that were filled in'),
      }),
      also: { '404': 'it has never connected' },
      handle: async ({ params }) => {
        const robot = nameOf(params['robot'] ?? '');
        if (robot !== undefined) return await countsOf(robot);
        const message = `robot ${params['robot'] ?? ''} has never connected`;
        return new RouteReply(404, { error: { code: 'NOT_FOUND', message } });
      },
    },
  ];
}
