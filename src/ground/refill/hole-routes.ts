import { RouteReply, type Route } from '../../monitors/http/route.js';
import { list, object, said, text, whole } from '../../monitors/http/schemas.js';
import { SHOWN_MAX, type HoleCounts, type HoleView } from './hole-book.js';

export interface HoleRouteParts {
  /** Whether a name or VIN is that of a robot. */
  readonly isKnown: (robot: string) => Promise<boolean>;
  readonly countsOf: (robot: string) => Promise<HoleCounts>;
  readonly shownOf: (robot: string) => Promise<readonly HoleView[]>;
}

/** The holes of the history over HTTP. */
export function holeRoutes({ isKnown, countsOf, shownOf }: HoleRouteParts): readonly Route[] {
  return [
    {
      ...{ method: 'GET', path: '/api/robots/:robot/holes', role: 'viewer' },
      summary:
        'The holes of its history: how many are open, how many were filled in from segments, and when they are',
      answer: object({
        open: said(whole, 'they wait for their segments'),
        ...{ filled: whole, lost: said(whole, 'their samples are older than samples are kept') },
        values: said(whole, 'of single fields that were filled in'),
        holes: said(
          list(object({ from: text, to: text, state: { type: 'string', enum: ['open', 'filled', 'lost'] } })),
          `the newest ${SHOWN_MAX}, the oldest first, on the clock of the robot`,
        ),
      }),
      also: { '404': 'it is not enrolled, and the history and the catalogue do not know it' },
      handle: async ({ params }) => {
        const given = params['robot'] ?? '';
        if (await isKnown(given)) return { ...(await countsOf(given)), holes: await shownOf(given) };
        const message = `robot ${given} is not enrolled, and the history and the catalogue do not know it`;
        return new RouteReply(404, { error: { code: 'NOT_FOUND', message } });
      },
    },
  ];
}
