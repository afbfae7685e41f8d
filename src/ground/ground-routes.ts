import { plainPage } from '../monitors/http/plain-page.js';
import { RouteReply, type Route } from '../monitors/http/route.js';
import { flag, list, object, ref, said, text } from '../monitors/http/schemas.js';
import type { MapSource } from './map-source.js';
import type { FleetView } from './fleet-view.js';
import { groundSchemas } from './ground-schemas.js';
import { UNKNOWN_ROBOT, unknownRobot } from './unknown-robot.js';

/** The ground's OpenAPI document. */
export const groundApi = {
  path: '/api/openapi.json',
  title: 'Holdfast ground',
  description:
    'A fleet and what its robots send. Live state comes over a WebSocket at /live (docs/ground.md). Times are ' +
    'ISO 8601, times ending in Ms are milliseconds since the Unix epoch; decimal strings are nanoseconds.',
  schemas: groundSchemas,
  plainPage: plainPage('The ground runs. Its pages are not part of this build.', {
    robots: '/api/robots',
    metrics: '/metrics',
    OpenAPI: '/api/openapi.json',
  }),
} as const;

export interface GroundRouteParts {
  readonly fleet: Pick<FleetView, 'robots' | 'robot'>;
  /** In Prometheus' text format. */
  readonly metrics: () => string;
  /** What is not there yet, in words; undefined: robots and people are served. */
  readonly missing: () => string | undefined;
  /** Undefined: the map has its own outlines only. */
  readonly map: MapSource | undefined;
}

const role = 'viewer';

/** What everybody may look at who has a role. */
export function groundRoutes({ fleet, metrics, missing, map }: GroundRouteParts): readonly Route[] {
  return [
    {
      ...{ method: 'GET', path: '/healthz', role, open: true },
      summary: 'Whether the process answers',
      answer: ref('Ok'),
      handle: () => ({ ok: true }),
    },
    {
      ...{ method: 'GET', path: '/readyz', role, open: true },
      summary: 'Whether robots and people are served',
      answer: object({ ready: flag, missing: said(text, 'what is not there yet; empty: nothing') }),
      also: { '503': 'not ready' },
      handle: () => {
        const what = missing();
        return new RouteReply(what === undefined ? 200 : 503, {
          ...{ ready: what === undefined, missing: what ?? '' },
        });
      },
    },
    {
      ...{ method: 'GET', path: '/metrics', role },
      summary: 'Metrics for Prometheus (docs/ground.md)',
      answer: text,
      answerType: 'text/plain',
      handle: () => new RouteReply(200, metrics(), 'text/plain; version=0.0.4; charset=utf-8'),
    },
    {
      ...{ method: 'GET', path: '/api/me', role },
      summary: 'Who asks, and what role that is',
      answer: object({ name: text, role: text }),
      handle: ({ who }) => who,
    },
    {
      ...{ method: 'GET', path: '/api/map', role },
      summary: 'Where the pages get map tiles from',
      answer: object({
        tiles: said(text, 'an address with {z}, {x} and {y}; empty: the outlines of the ground'),
        attribution: text,
      }),
      handle: () => ({ tiles: map?.url ?? '', attribution: map?.attribution ?? '' }),
    },
    {
      ...{ method: 'GET', path: '/api/robots', role },
      summary: 'Every robot that has ever connected, unless it was revoked',
      answer: object({ robots: list(ref('Robot')) }),
      handle: async () => ({ robots: await fleet.robots() }),
    },
    {
      ...{ method: 'GET', path: '/api/robots/:robot', role },
      summary: 'One robot, with its segments and marked events',
      answer: ref('RobotDetail'),
      also: { '404': UNKNOWN_ROBOT },
      handle: async ({ params }) => {
        const name = params['robot'] ?? '';
        return (await fleet.robot(name)) ?? unknownRobot(name);
      },
    },
  ];
}
