import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { silentLogger } from '../../src/core/logger.js';
import { AlertTable } from '../../src/ground/alert-table.js';
import { AlertTeller } from '../../src/ground/alert-teller.js';
import type { Queries } from '../../src/ground/database/database.js';
import { defaultBacklogLimits } from '../../src/ground/backlog-trend.js';
import { FleetAlerts, fleetRules } from '../../src/ground/fleet-alerts.js';
import type { FleetRow } from '../../src/ground/fleet-row.js';
import { Webhook, type WebhookBody } from '../../src/monitors/alerts/webhook.js';
import { sleep } from '../../src/testing/waiting.js';
import type { SimulatedClock } from '../support/simulated-clock.js';

/** A web address that takes alerts, on a free port. */
export class AlertListener implements AsyncDisposable {
  /** `robot alert raised` of each request that was answered with 200, in order. */
  readonly taken: string[] = [];
  /** The VINs of these. */
  readonly vins: (string | undefined)[] = [];
  /** Requests that were answered with 500. */
  refused = 0;
  /** What the next requests are answered with. */
  status = 200;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        const { robots, vin, alert } = JSON.parse(body) as WebhookBody;
        if (this.status === 200) {
          this.taken.push(`${robots.join()} ${alert.id} ${alert.raised ? 'raised' : 'cleared'}`);
          this.vins.push(vin);
        } else this.refused++;
        response.writeHead(this.status).end();
      });
    });
  }

  static async listen(): Promise<AlertListener> {
    const listener = new AlertListener();
    await new Promise<void>((resolve) => listener.#server.listen(0, '127.0.0.1', resolve));
    return listener;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** What a process of a ground does about alerts; it can end, or be killed. */
export class AlertingGround implements AsyncDisposable {
  readonly #clock: SimulatedClock;
  readonly #webhook: Webhook;
  readonly #teller: AlertTeller;
  readonly #alerts: FleetAlerts;

  private constructor(
    clock: SimulatedClock,
    rows: () => readonly FleetRow[],
    webhook: Webhook,
    teller: AlertTeller,
  ) {
    this.#clock = clock;
    this.#webhook = webhook;
    this.#teller = teller;
    const ports = { clock, logger: silentLogger, backlog: defaultBacklogLimits };
    this.#alerts = new FleetAlerts(rows, (robot, alert) => teller.note(robot, alert), ports, teller.kept);
  }

  static async start(
    parts: { clock: SimulatedClock; rows: () => readonly FleetRow[]; url: string; queries: Queries },
    isTeller = (): boolean => true,
  ): Promise<AlertingGround> {
    const { clock, rows, url, queries } = parts;
    const ports = { clock, logger: silentLogger };
    const webhook = new Webhook(url, { ...ports, fetch });
    const table = new AlertTable(queries);
    const vinOf = (robot: string): string => rows().find((row) => row.robot === robot)?.vin ?? '';
    const teller = await AlertTeller.open({
      vinOf,
      ...{ ...ports, table, webhook, hostname: 'ground', isTeller, rules: fleetRules(defaultBacklogLimits) },
    });
    return new AlertingGround(clock, rows, webhook, teller);
  }

  /** Lets simulated time pass, in steps that leave the database and the listener time to answer. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 5_000) {
      await this.#clock.advance(5_000);
      await sleep(3);
    }
  }

  /** Lets simulated time pass until something holds. */
  async until(check: () => boolean, what: string): Promise<void> {
    for (let i = 0; i < 2_000 && !check(); i++) {
      await this.#clock.advance(1_000);
      await sleep(5);
    }
    if (!check()) throw new Error(`waited in vain for ${what}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#alerts[Symbol.dispose]();
    await this.#webhook[Symbol.asyncDispose]();
    await this.#teller[Symbol.asyncDispose]();
  }
}
