import type { Route } from '../../monitors/http/route.js';
import { flag, list, object, said, text } from '../../monitors/http/schemas.js';
import { MAX_ROWS, TIMEOUT_MS, type ReadOnlySql } from './read-only-sql.js';

const MAX_LENGTH = 20_000;
const DEFAULT_ROWS = 1_000;

/** SQL over HTTP, for people who may look at everything. */
export function sqlRoute(sql: ReadOnlySql): Route {
  return {
    ...{ method: 'POST', path: '/api/sql', role: 'viewer' },
    summary: `Runs one query on telemetry and catalogue, read-only, for ${TIMEOUT_MS / 1_000} s at most`,
    body: {
      ...{ type: 'object', required: ['sql'], additionalProperties: false },
      properties: {
        sql: { type: 'string', minLength: 1, maxLength: MAX_LENGTH, description: 'SELECT, WITH or VALUES' },
        limit: { type: 'integer', minimum: 1, maximum: MAX_ROWS, default: DEFAULT_ROWS },
      },
    },
    answer: object({
      columns: list(text),
      rows: { type: 'array', items: { type: 'object' } },
      truncated: said(flag, 'there are more rows, or more bytes, than an answer has'),
    }),
    handle: ({ body }) => sql.run(String(body['sql']), Number(body['limit'] ?? DEFAULT_ROWS)),
  };
}
