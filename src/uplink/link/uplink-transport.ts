/** One open connection, seen from either end. Messages arrive in order, whole, and at most once. */
export interface UplinkConnection {
  /** Sends a message. After the end of the connection it does nothing. */
  send(message: Uint8Array): void;
  /** Bytes that were given to `send` and have not left this process. */
  readonly waitingBytes: number;
  /** Ends the connection. What waits is sent first, for a bounded time. Idempotent. */
  close(reason: string): void;
}

/** Receives what happens on a connection. */
export interface ConnectionEvents {
  message(bytes: Uint8Array): void;
  /** The connection ended, for whatever reason. Called once, and nothing after it. */
  closed(reason: string): void;
}

/** The robot's way to the ground. Robots only call out. */
export interface UplinkTransport {
  /** Where it connects to, without secrets. */
  readonly address: string;
  /**
   * Opens a connection. Rejects with `GROUND_UNREACHABLE`, with `GROUND_REFUSED` if the ground does not accept
   * the token, with `GROUND_UNTRUSTED` if its certificate is not trusted, or with the reason of the signal.
   */
  connect(events: ConnectionEvents, signal: AbortSignal): Promise<UplinkConnection>;
}

/** What the ground does with connections. */
export interface GroundReception {
  /** The robot that a token belongs to; undefined: nobody. */
  admit(token: string): Promise<string | undefined>;
  /** Takes over a new connection of a robot. */
  accept(robot: string, connection: UplinkConnection): ConnectionEvents;
}
