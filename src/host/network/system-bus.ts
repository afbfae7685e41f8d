import { describeError } from '../../core/errors.js';

/** What this module uses of `@homebridge/dbus-native`, whose types leave most of it out. */
interface NativeBus {
  invoke(call: BusCall, answer: (error: unknown, ...values: unknown[]) => void): void;
  readonly connection: {
    on(event: 'error' | 'end', listener: (error?: unknown) => void): void;
    end(): void;
  };
}

interface NativeLibrary {
  createClient(options: { readonly busAddress: string }): NativeBus;
}

/** A method call on the bus. */
export interface BusCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly unknown[];
}

/** Where the specification of D-Bus puts the system bus. */
export const SYSTEM_BUS_ADDRESS = 'unix:path=/var/run/dbus/system_bus_socket';

/** A connection to the system bus that is opened with the first call, and again after it broke. */
export class SystemBus {
  readonly #address: string;
  #bus: NativeBus | undefined;
  /** Calls that a broken connection would leave without an answer. */
  readonly #waiting = new Set<(error: Error) => void>();

  constructor(address = SYSTEM_BUS_ADDRESS) {
    this.#address = address;
  }

  /** The values of the answer. Rejects if there is no bus, and with what the peer answers. */
  async call(call: BusCall, signal: AbortSignal): Promise<readonly unknown[]> {
    signal.throwIfAborted();
    const bus = (this.#bus ??= await this.#open());
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        this.#waiting.delete(fail);
        signal.removeEventListener('abort', onAbort);
        reject(error);
      };
      const onAbort = (): void => fail(signal.reason as Error);
      this.#waiting.add(fail);
      signal.addEventListener('abort', onAbort, { once: true });
      bus.invoke(call, (error, ...values) => {
        if (error !== undefined && error !== null) {
          fail(new Error(textOf(error)));
          return;
        }
        this.#waiting.delete(fail);
        signal.removeEventListener('abort', onAbort);
        resolve(values);
      });
    });
  }

  close(): void {
    this.#broken(new Error('the connection to the bus was closed'));
  }

  async #open(): Promise<NativeBus> {
    const { default: dbus } = await import('@homebridge/dbus-native');
    const native = dbus as unknown as NativeLibrary;
    const bus = native.createClient({ busAddress: this.#address });
    const broken = (error: unknown): void => {
      if (this.#bus === bus) this.#broken(new Error(`no D-Bus: ${describeError(error)}`));
    };
    bus.connection.on('error', broken);
    bus.connection.on('end', () => broken(new Error('the bus ended the connection')));
    return bus;
  }

  #broken(error: Error): void {
    const bus = this.#bus;
    this.#bus = undefined;
    for (const fail of [...this.#waiting]) fail(error);
    bus?.connection.end();
  }
}

/** The library gives the error of a peer as its name and the list of its arguments. */
function textOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  const { name, message } = error as { readonly name?: unknown; readonly message?: unknown };
  const words = Array.isArray(message) ? message.join(' ') : message;
  return [name, words].filter((one) => typeof one === 'string' && one !== '').join(': ');
}
