import { FoxgloveTestServer } from './foxglove-test-server.js';

// A server that can really be killed: `foxglove-server-process PORT [MESSAGES]`. Without MESSAGES it
// chatters for ever; with it, it sends so many of 100 bytes as fast as it can once someone subscribes.
const [port = '0', messages] = process.argv.slice(2);
const server = await FoxgloveTestServer.start(Number(port));
const channels = ['/robot1/a', '/robot1/b'].map((topic) => server.add({ topic }));
const subscribed = new Set<number>();
process.stdout.write(`${server.port}\n`);
if (messages === undefined) {
  server.chatter(channels);
} else {
  server.foxglove.on('subscribe', (id) => {
    if (subscribed.add(id).size === channels.length) void flood();
  });
}
async function flood(): Promise<void> {
  const payload = Buffer.alloc(100, 1);
  for (let i = 0; i < Number(messages); i++) {
    server.send(channels[i % channels.length]!, payload);
    // The reference server has no limit for a slow client of its own.
    if (i % 500 === 499) await new Promise((resolve) => setImmediate(resolve));
  }
}
