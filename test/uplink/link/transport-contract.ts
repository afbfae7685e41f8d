import assert from 'node:assert/strict';
import { isHoldfastError } from '../../../src/core/errors.js';
import { present } from '../../../src/core/present.js';
import { eventually } from '../../../src/testing/waiting.js';
import type {
  ConnectionEvents,
  GroundReception,
  UplinkConnection,
  UplinkTransport,
} from '../../../src/uplink/link/uplink-transport.js';
import { MAX_MESSAGE_BYTES } from '../../../src/uplink/protocol/uplink-messages.js';

const TOKEN = 'robot_7:secret';

/** A ground's end that accepts connections until it stops. */
export interface RunningReception {
  /** A robot's way to it. */
  transport(token: string): UplinkTransport;
  /** Ends at once, as if killed. */
  stop(): Promise<void>;
}

/** One end of a connection, with everything that happened on it. */
export class End implements ConnectionEvents {
  readonly messages: Buffer[] = [];
  readonly ends: string[] = [];
  connection!: UplinkConnection;

  message(bytes: Uint8Array): void {
    assert.equal(this.ends.length, 0, 'a message after the end');
    this.messages.push(Buffer.from(bytes));
  }

  closed(reason: string): void {
    this.ends.push(reason);
  }
}

class Ground implements GroundReception {
  readonly accepted: { robot: string; end: End }[] = [];
  /** Sent in the turn in which a connection is accepted. */
  greeting: Uint8Array | undefined;

  admit(token: string): Promise<string | undefined> {
    if (token === 'robot_7:broken') return Promise.reject(new Error('the database is gone'));
    return Promise.resolve(token === TOKEN ? 'robot_7' : undefined);
  }

  accept(robot: string, connection: UplinkConnection): ConnectionEvents {
    const end = new End();
    end.connection = connection;
    this.accepted.push({ robot, end });
    if (this.greeting !== undefined) connection.send(this.greeting);
    return end;
  }
}

/** Defines the suite that every adapter of the uplink must pass. */
export function transportContract(
  name: string,
  start: (ground: GroundReception) => Promise<RunningReception>,
): void {
  describe(`the contract of uplink transports, kept by ${name}`, () => {
    let ground: Ground;
    let running: RunningReception;
    const never = new AbortController().signal;

    beforeEach(async () => {
      ground = new Ground();
      running = await start(ground);
    });
    afterEach(() => running.stop());

    async function connect(): Promise<{ robot: End; atGround: End }> {
      const robot = new End();
      const before = ground.accepted.length;
      robot.connection = await running.transport(TOKEN).connect(robot, never);
      await eventually(() => ground.accepted.length > before, 'the ground accepts');
      return { robot, atGround: present(ground.accepted.at(-1)).end };
    }

    it('carries messages of every size in both directions, in order', async () => {
      const { robot, atGround } = await connect();
      const sizes = [1, 0, 125, 126, 65_535, 65_536, MAX_MESSAGE_BYTES];
      const sent = sizes.map((size, i) => Buffer.alloc(size, i + 1));
      for (const one of sent) robot.connection.send(one);
      for (const one of sent) atGround.connection.send(one);
      await eventually(() => atGround.messages.length === sent.length, 'messages at the ground');
      await eventually(() => robot.messages.length === sent.length, 'messages at the robot');
      assert.ok(atGround.messages.every((one, i) => one.equals(sent[i]!)));
      assert.ok(robot.messages.every((one, i) => one.equals(sent[i]!)));
      assert.equal(ground.accepted[0]?.robot, 'robot_7');
    });

    it('delivers what the ground sends in the turn in which it accepts', async () => {
      ground.greeting = Buffer.from('welcome');
      const { robot } = await connect();
      await eventually(() => robot.messages.length === 1, 'the greeting');
      assert.equal(String(robot.messages[0]), 'welcome');
    });

    for (const [what, token] of [
      ['a token that the ground does not know', 'robot_7:other'],
      ['no token', ''],
      ['a token of 10 kB', `robot_7:${'x'.repeat(10_000)}`],
    ] as const) {
      it(`refuses ${what}`, async () => {
        await assert.rejects(running.transport(token).connect(new End(), never), (error) =>
          isHoldfastError(error, 'GROUND_REFUSED'),
        );
        assert.equal(ground.accepted.length, 0);
      });
    }

    it('says that the ground is out of reach while it cannot look up tokens', async () => {
      await assert.rejects(running.transport('robot_7:broken').connect(new End(), never), (error) =>
        isHoldfastError(error, 'GROUND_UNREACHABLE'),
      );
    });

    it('says that a ground that does not run is out of reach', async () => {
      const transport = running.transport(TOKEN);
      await running.stop();
      await assert.rejects(transport.connect(new End(), never), (error) =>
        isHoldfastError(error, 'GROUND_UNREACHABLE'),
      );
    });

    it('gives up connecting when the signal aborts', async () => {
      const reason = new Error('stopped');
      await assert.rejects(running.transport(TOKEN).connect(new End(), AbortSignal.abort(reason)), reason);
      const abort = new AbortController();
      const connecting = running.transport(TOKEN).connect(new End(), abort.signal);
      abort.abort(reason);
      await assert.rejects(connecting, reason);
    });

    it('sends what waits before the robot closes, and reports the end once at each side', async () => {
      const { robot, atGround } = await connect();
      const last = Buffer.alloc(200_000, 9);
      robot.connection.send(last);
      robot.connection.close('the recorder ends');
      robot.connection.close('again');
      await eventually(() => robot.ends.length > 0 && atGround.ends.length > 0, 'both ends');
      assert.ok(atGround.messages[0]?.equals(last));
      assert.deepEqual(atGround.ends, ['the recorder ends']);
      assert.equal(robot.ends.length, 1);
    });

    it('reports an end that the ground wants, with its reason', async () => {
      const { robot, atGround } = await connect();
      atGround.connection.close('the token was revoked');
      await eventually(() => robot.ends.length > 0 && atGround.ends.length > 0, 'both ends');
      assert.deepEqual(robot.ends, ['the token was revoked']);
    });

    it('reports the death of the ground to the robot', async () => {
      const { robot } = await connect();
      await running.stop();
      await eventually(() => robot.ends.length === 1, 'the end');
    });

    it('does nothing with messages after the end', async () => {
      const { robot, atGround } = await connect();
      robot.connection.close('over');
      await eventually(() => robot.ends.length > 0 && atGround.ends.length > 0, 'both ends');
      robot.connection.send(Buffer.from('late'));
      atGround.connection.send(Buffer.from('late'));
      assert.equal(robot.connection.waitingBytes, 0);
      assert.deepEqual([robot.messages, atGround.messages], [[], []]);
    });

    it('ends the connection at a message that is too large, and never delivers it', async () => {
      const { robot, atGround } = await connect();
      robot.connection.send(Buffer.alloc(MAX_MESSAGE_BYTES + 1));
      await eventually(() => robot.ends.length === 1 && atGround.ends.length === 1, 'both ends');
      assert.equal(atGround.messages.length, 0);
    });

    it('counts the bytes that wait, until they have left', async () => {
      const { robot, atGround } = await connect();
      const total = 60;
      for (let i = 0; i < total; i++) robot.connection.send(Buffer.alloc(MAX_MESSAGE_BYTES));
      assert.ok(robot.connection.waitingBytes > MAX_MESSAGE_BYTES, `${robot.connection.waitingBytes}`);
      await eventually(() => atGround.messages.length === total, 'all messages');
      await eventually(() => robot.connection.waitingBytes === 0, 'nothing waits');
    });

    it('keeps several connections of a robot apart', async () => {
      const first = await connect();
      const second = await connect();
      first.robot.connection.send(Buffer.from('first'));
      second.robot.connection.send(Buffer.from('second'));
      await eventually(() => second.atGround.messages.length + first.atGround.messages.length === 2, 'both');
      assert.equal(String(first.atGround.messages[0]), 'first');
      assert.equal(String(second.atGround.messages[0]), 'second');
    });
  });
}
