import type { JsonSchema, Route } from './route.js';
import { apiSchemas, ref } from './schemas.js';

const errors: Readonly<Record<string, string>> = {
  '400': 'body or query do not fit',
  '401': 'no token, or a wrong one',
  '403': 'the token is a viewer’s, or Host or Origin are not ours',
  '409': 'the recorder’s phase does not allow it; the message says why',
  '413': 'the body is too large',
  '429': 'too many wrong tokens from this address; Retry-After says when to come back',
  '501': 'not available in this process',
  '503': 'the process concerned is not running',
};

/** The API as an OpenAPI 3.1 document, made from the same table as the server. */
export function openApiDocument(routes: readonly Route[], version: string): JsonSchema {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast recorder',
      version,
      description:
        'State and control of one recorder and of the sync process beside it. Live state comes over a ' +
        'WebSocket at /live (docs/http-api.md). Times ending in Ms are milliseconds since the Unix epoch; ' +
        'decimal strings are nanoseconds.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: apiSchemas,
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function operation(route: Route): JsonSchema {
  const relevant = Object.entries(errors).filter(
    ([status]) => route.role === 'operator' || (status !== '409' && status !== '413' && status !== '501'),
  );
  return {
    operationId: `${route.method.toLowerCase()}${route.path.replace(/[^a-z]+(.)/g, (_, first: string) => first.toUpperCase())}`,
    summary: route.summary,
    'x-role': route.open ? 'anyone' : route.role,
    security: route.open ? [] : [{ token: [] }],
    ...(route.query === undefined ? {} : { parameters: parameters(route.query) }),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: route.body } } } }),
    responses: {
      '200': {
        description: 'done',
        content: { [route.answerType ?? 'application/json']: { schema: route.answer } },
      },
      ...Object.fromEntries(
        Object.entries(route.also ?? {}).map(([status, description]) => [status, { description }]),
      ),
      ...Object.fromEntries(
        relevant
          .filter(([status]) => route.also?.[status] === undefined)
          .map(([status, description]) => [
            status,
            { description, content: { 'application/json': { schema: ref('Error') } } },
          ]),
      ),
    },
  };
}

function parameters(query: JsonSchema): unknown[] {
  return Object.entries(query['properties'] as Record<string, JsonSchema>).map(([name, schema]) => ({
    name,
    in: 'query',
    required: false,
    schema,
  }));
}
