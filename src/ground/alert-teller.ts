import type { Clock, Timer } from '../core/clock.js';
import { describeError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { SerialQueue } from '../core/serial-queue.js';
import type { AlertRule } from '../monitors/alerts/alert-rules.js';
import { describeAlert, type Alert } from '../monitors/alerts/evaluate-alerts.js';
import type { Webhook } from '../monitors/alerts/webhook.js';
import type { AlertTable, KeptAlert } from './alert-table.js';
import type { FleetAlertId } from './fleet-alerts.js';

const LOOK_MS = 1_000;
/** Changes that the webhook has at a time; the others wait here. */
const AT_ONCE_MAX = 50;

export interface AlertTellerParts {
  /** Undefined: there is no database, and a restart forgets everything. */
  readonly table: AlertTable | undefined;
  /** Undefined: nothing is posted. */
  readonly webhook: Pick<Webhook, 'tell'> | undefined;
  /** Those of the ground, for the limits that a post names. */
  readonly rules: readonly AlertRule<never, FleetAlertId>[];
  readonly hostname: string;
  /** The VIN of a robot; empty: none, or unknown. */
  readonly vinOf: (robot: string) => string;
  /** Of several processes of a ground, one tells. */
  readonly isTeller: () => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Tells a web address when an alert is raised or cleared. What it has taken is in the database: after a restart it
 * gets what it has not, and nothing else. Killed between an answer of the web address and the note of it, a ground
 * posts that change a second time.
 */
export class AlertTeller implements AsyncDisposable {
  readonly #parts: AlertTellerParts;
  readonly #kept = new Map<string, KeptAlert>();
  /** Not saved yet. */
  readonly #unsaved = new Set<string>();
  readonly #underWay = new Set<string>();
  /** The webhook took them in no attempt: only a change, or a start, makes another one. */
  readonly #givenUp = new Set<string>();
  readonly #turns = new SerialQueue();
  readonly #timer: Timer;
  /** This process has read what the one before it had told. */
  #tells = false;
  #isFailing = false;

  private constructor(parts: AlertTellerParts) {
    this.#parts = parts;
    this.#timer = parts.clock.every(LOOK_MS, () => this.#look(), { background: true });
  }

  /** Rejects with the errors of the database. */
  static async open(parts: AlertTellerParts): Promise<AlertTeller> {
    const alerts = (await parts.table?.load()) ?? [];
    const teller = new AlertTeller(parts);
    for (const one of alerts) teller.#kept.set(keyOf(one.robot, one.alert), one);
    return teller;
  }

  /** The alerts that are raised, and those that the webhook still takes for raised. */
  get kept(): readonly KeptAlert[] {
    return [...this.#kept.values()];
  }

  /** An alert was raised or cleared. */
  note(robot: string, { id, raised, sinceMs = 0, value }: Alert<FleetAlertId>): void {
    const key = keyOf(robot, id);
    const told = this.#kept.get(key)?.told === true;
    this.#givenUp.delete(key);
    this.#put(key, { robot, alert: id, raised, sinceMs, value: value ?? null, told });
  }

  /** Saves what has changed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer.cancel();
    await this.#turns.run(() => this.#save());
  }

  #look(): void {
    if (this.#turns.length > 0) return;
    void this.#turns.run(async () => {
      if (!this.#parts.isTeller()) {
        this.#tells = false;
        return;
      }
      if (!this.#tells && !(await this.#takeOver())) return;
      // A database that is out of reach must not keep an alert from people.
      await this.#save();
      this.#tellAll();
    });
  }

  /** What the process that told before has told. False: the database does not answer. */
  async #takeOver(): Promise<boolean> {
    const { table } = this.#parts;
    this.#tells = await this.#try(async () => {
      const found = new Map((await table?.load())?.map((one) => [keyOf(one.robot, one.alert), one]));
      // Whether an alert is raised, this process has seen itself.
      for (const [key, one] of found) this.#put(key, { ...one, raised: false, ...this.#kept.get(key) });
      for (const [key, one] of this.#kept) this.#put(key, { ...one, told: found.get(key)?.told === true });
    });
    return this.#tells;
  }

  #put(key: string, alert: KeptAlert): void {
    this.#kept.set(key, alert);
    this.#unsaved.add(key);
  }

  #tellAll(): void {
    for (const [key, one] of this.#kept) {
      if (this.#underWay.size >= AT_ONCE_MAX) return;
      if (one.raised !== one.told && !this.#underWay.has(key) && !this.#givenUp.has(key))
        this.#tell(key, one);
    }
  }

  #tell(key: string, { robot, alert: id, raised, sinceMs, value }: KeptAlert): void {
    const { webhook, hostname, rules, vinOf } = this.#parts;
    const rule = rules.find((one) => one.id === id);
    if (webhook === undefined || rule === undefined) return;
    const alert = describeAlert(rule, { raised, sinceMs, ...(value === null ? {} : { value }) });
    this.#underWay.add(key);
    const vehicle = vinOf(robot);
    const whose = { robots: [robot], ...(vehicle === '' ? {} : { vin: vehicle }) };
    webhook.tell({ source: 'holdfast', host: hostname, ...whose, alert }, (isDelivered) => {
      this.#underWay.delete(key);
      const now = this.#kept.get(key);
      if (!isDelivered) this.#givenUp.add(key);
      else if (now !== undefined) this.#put(key, { ...now, told: raised });
    });
  }

  async #save(): Promise<void> {
    const { table } = this.#parts;
    const keys = [...this.#unsaved];
    const alerts = keys.flatMap((key) => this.#asSaved(key));
    this.#unsaved.clear();
    await this.#try(async () => {
      try {
        if (this.#tells && alerts.length > 0) await table?.save(alerts);
      } catch (error) {
        for (const key of keys) this.#unsaved.add(key);
        throw error;
      }
      for (const key of keys) this.#drop(key);
    });
  }

  /** Nobody knows whether the webhook will take what is under way: after a kill, it gets the last change again. */
  #asSaved(key: string): readonly KeptAlert[] {
    const one = this.#kept.get(key);
    if (one === undefined) return [];
    return [this.#underWay.has(key) ? { ...one, told: !one.raised } : one];
  }

  /** Forgets an alert that is neither raised nor told. */
  #drop(key: string): void {
    const now = this.#kept.get(key);
    if (now === undefined || now.raised || now.told || this.#underWay.has(key)) return;
    this.#kept.delete(key);
    this.#givenUp.delete(key);
  }

  async #try(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      this.#isFailing = false;
      return true;
    } catch (error) {
      const reason = describeError(error);
      if (!this.#isFailing)
        this.#parts.logger.warn('alerts of the fleet cannot be kept, and wait', { error: reason });
      this.#isFailing = true;
      return false;
    }
  }
}

function keyOf(robot: string, alert: string): string {
  return `${robot} ${alert}`;
}
