import assert from 'node:assert/strict';
import { nothingHere, type Served } from '../../../src/monitors/http/nothing-here.js';

const served: readonly Served[] = [
  { method: 'GET', path: '/' },
  { method: 'GET', path: '/healthz' },
  { method: 'GET', path: '/api/robots' },
  { method: 'GET', path: '/api/robots/:robot' },
  { method: 'GET', path: '/api/robots/:robot/history' },
  { method: 'POST', path: '/api/robots/:robot/control/split' },
  { method: 'GET', path: '/api/requests' },
  { method: 'POST', path: '/api/requests' },
  { method: 'WebSocket', path: '/uplink' },
];
const answer = (method: string, path: string): ReturnType<typeof nothingHere> =>
  nothingHere({ method, path }, served, '/api/openapi.json');

describe('A request that fits no operation', () => {
  for (const [path, allowed] of [
    ['/fleet', '/, /api/..., /healthz, /uplink'],
    ['/api', '/api/requests, /api/robots'],
    ['/api/robot', '/api/requests, /api/robots'],
    [
      '/api/robots/robot_7/past',
      '/api/robots/{robot}, /api/robots/{robot}/control/..., /api/robots/{robot}/history',
    ],
    ['/api/robots/robot_7/control', '/api/robots/{robot}/control/split'],
    ['/api/robots/robot_7/history/today', '/api/robots/{robot}/history'],
    ['/api/robots/', '/api/robots, /api/robots/{robot}'],
  ] as const) {
    it(`gets the paths near ${path}`, () => {
      const { status, code, message, headers } = answer('GET', path);
      assert.deepEqual([status, code, headers], [404, 'NOT_FOUND', {}]);
      assert.equal(message, `there is nothing at "${path}", allowed: ${allowed}; see /api/openapi.json`);
    });
  }

  it('gets the method that its path takes', () => {
    assert.deepEqual(answer('GET', '/api/robots/robot_7/control/split'), {
      ...{ status: 405, code: 'METHOD_NOT_ALLOWED', headers: { allow: 'POST' } },
      message: 'GET is not allowed at "/api/robots/robot_7/control/split", allowed: POST',
    });
    assert.equal(answer('DELETE', '/api/requests').headers['allow'], 'GET, POST');
  });

  it('gets the hint that its path is for WebSockets', () => {
    assert.deepEqual(answer('GET', '/uplink'), {
      ...{ status: 426, code: 'WEBSOCKET_REQUIRED', headers: { upgrade: 'websocket' } },
      message: 'at "/uplink" allowed: a WebSocket',
    });
  });

  it('has a short answer for a long path', () => {
    assert.ok(answer('GET', `/${'x/'.repeat(5_000)}`).message.length < 250);
  });
});
