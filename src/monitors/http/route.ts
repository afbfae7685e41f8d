import type { AccessRole } from './access.js';

/** A JSON Schema, as far as it is used here. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What a route is handed; body and query fit their schemas. */
export interface RouteRequest {
  readonly body: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
}

/** What a route answers when it is not simply JSON with 200. */
export class RouteReply {
  constructor(
    readonly status: number,
    readonly body: unknown,
    readonly contentType = 'application/json; charset=utf-8',
  ) {}
}

/** One operation of the API: the server and its OpenAPI document are both made from these. */
export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly summary: string;
  /** Whoever reaches the port may ask. */
  readonly open?: true;
  readonly role: AccessRole;
  readonly body?: JsonSchema;
  readonly query?: JsonSchema;
  /** What a good answer holds; `text/plain` where `answerType` says so. */
  readonly answer: JsonSchema;
  readonly answerType?: string;
  /** Further answers that are not errors, by status. */
  readonly also?: Readonly<Record<string, string>>;
  readonly handle: (request: RouteRequest) => unknown;
}
