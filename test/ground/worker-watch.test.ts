import assert from 'node:assert/strict';
import { silentLogger } from '../../src/core/logger.js';
import { GroundBus } from '../../src/ground/ground-bus.js';
import { WorkerWatch } from '../../src/ground/worker-watch.js';
import { eventually } from '../../src/testing/waiting.js';
import { NatsServer } from '../support/nats.js';
import { SimulatedClock } from '../support/simulated-clock.js';

const LOOK_MS = 250;

describe('WorkerWatch', function () {
  this.timeout(30_000);
  let server: NatsServer;
  let watching: GroundBus;
  let other: GroundBus;
  let clock: SimulatedClock;
  let watch: WorkerWatch;
  const gone: string[] = [];

  before(async () => {
    server = await NatsServer.start();
  });
  after(async () => {
    await server.stop();
  });
  beforeEach(async () => {
    gone.length = 0;
    clock = new SimulatedClock();
    const place = { url: `nats://${server.address}` };
    watching = await GroundBus.connect(place, '00000001', silentLogger);
    other = await GroundBus.connect(place, '00000002', silentLogger);
    watch = new WorkerWatch((worker) => gone.push(worker), { bus: watching, clock, logger: silentLogger });
    await watching.nats.flush();
    other.tell('alive', {});
    await eventually(() => watch.others.length === 1, 'the other process');
  });
  afterEach(async () => {
    watch[Symbol.dispose]();
    await Promise.all([watching[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]);
  });

  /** Lets time pass in looks, each with what it asks. */
  async function pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += LOOK_MS) {
      clock.pass(LOOK_MS);
      // Answers come in order: those of the look are there.
      await watching.isConnected(watching.worker);
      await clock.advance(0);
    }
  }

  it('notices within half a second that the server has lost a process', async () => {
    const told: string[] = [];
    watching.nats.subscribe('holdfast.ended.>', { callback: (_, { subject }) => void told.push(subject) });
    await other.nats.close();
    await eventually(async () => !(await watching.isConnected(other.worker)), 'the server has noticed');
    await pass(LOOK_MS);
    assert.deepEqual(gone, []);
    await pass(LOOK_MS);
    assert.deepEqual(gone, [other.worker]);
    assert.deepEqual(watch.others, []);
    await eventually(() => told.length > 0, 'a message to its robots');
    assert.deepEqual(told, [`holdfast.ended.${other.worker}`]);
  });

  it('waits longer for a process that is slow and still connected', async () => {
    await pass(1_000);
    assert.deepEqual(gone, []);
    other.tell('alive', {});
    await other.nats.flush();
    // The server has it; now the watching process has it too, before time passes on its clock.
    await watching.nats.flush();
    await pass(1_000);
    assert.deepEqual(gone, []);
    await pass(500);
    assert.deepEqual(gone, [other.worker]);
  });
});
