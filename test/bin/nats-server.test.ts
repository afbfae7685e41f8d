import assert from 'node:assert/strict';
import { NatsServer } from '../support/nats.js';

describe('the NATS server of the tests', function () {
  this.timeout(60_000);

  it('rejects a start without the program, and can still be stopped', async () => {
    const { PATH } = process.env;
    const server = await NatsServer.prepare();
    process.env['PATH'] = '/nonexistent';
    try {
      await assert.rejects(NatsServer.start(), /nats-server cannot be started: .*ENOENT/);
      await assert.rejects(server.run(), /nats-server cannot be started: .*ENOENT/);
    } finally {
      process.env['PATH'] = PATH;
      await server.stop();
    }
  });
});
